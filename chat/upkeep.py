"""What a process does every second for its sockets: end those that should end, and heal what the layer lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import structlog
from django.db import Error as DatabaseFault

from chat.auth import standings
from chat.connections import connections, group_name
from chat.layer import check_health, health
from chat.processing import finish_turns
from therapy.crisis.notices import send_due_notices
from therapy.database import in_database, work_tidily
from therapy.journal import heads_of, players_awaiting_reply
from therapy.messages import utc_now

log = structlog.get_logger()

TICK_SECONDS = 1.0
POLL_TICKS = 1  # the log is polled this often while the layer is down: other devices see a word within 2 s
HEAL_TICKS = 10  # and this often while it is up, for nudges that were lost
STANDING_TICKS = 3  # logging out must be felt within 5 s
NOTICE_TICKS = 2
FINISH_TICKS = 15
FINISH_AFTER = timedelta(seconds=30)  # longer than any engine is waited for
REJOIN_TICKS = 60  # layers forget group members
_CHUNK = 500

Job = Callable[[], Awaitable[None]]


class Upkeep:
    """One task a process. What may take its time is a job of its own, and never waited for."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._jobs: dict[Job, asyncio.Task[None]] = {}

    def start(self) -> None:
        if self._task is None or self._task.done() or self._task.get_loop() is not asyncio.get_running_loop():
            self._jobs = {}
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        tick = 0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            tick += 1
            try:
                self._tick(tick)
            except Exception as error:
                log.error("upkeep_failed", exc_info=error)

    def _tick(self, tick: int) -> None:
        for socket in connections:
            socket.tick()
        connections.clear_away_departed()
        self._begin(look_after_layer)
        if tick % REJOIN_TICKS == 0:
            self._begin(rejoin)
        if tick % HEAL_TICKS == 0:
            self._begin(announce_newcomers)
        if tick % (HEAL_TICKS if health.is_up else POLL_TICKS) == 0:
            self._begin(wake_those_behind)
        if tick % STANDING_TICKS == 0:
            self._begin(end_those_revoked)
        if tick % FINISH_TICKS == 1:
            self._begin(finish_abandoned)
        if tick % NOTICE_TICKS == 0:
            self._begin(notify)

    def _begin(self, job: Job) -> None:
        """Begin a job, unless it is still at it since last time."""
        if job not in self._jobs or self._jobs[job].done():
            self._jobs[job] = asyncio.create_task(_guarded(job))


async def _guarded(job: Job) -> None:
    try:
        await job()
    except DatabaseFault as error:
        log.warning("upkeep_without_database", exc_info=error)
    except Exception as error:
        log.error("upkeep_failed", exc_info=error)


async def look_after_layer() -> None:
    """Sockets poll the log as soon as the layer is gone, and are in their groups again as soon as it is back."""
    was_up = health.is_up
    await check_health()
    if health.has_recovered:
        health.has_recovered = False
        await rejoin()
        connections.nudge_again()
    if health.is_up is not was_up:
        await wake_those_behind()


async def notify() -> None:
    """Off every thread that turns use, for the clinic's servers may be slow."""
    await asyncio.to_thread(work_tidily, send_due_notices)


async def rejoin() -> None:
    for socket in connections:
        if socket.is_open and health.is_up:
            await socket.join(group_name(socket.identity.player_id))


async def announce_newcomers() -> None:
    """Again: sockets that opened at one moment in two processes may not have heard of each other, and be one too many."""
    since = time.monotonic() - 2 * HEAL_TICKS * TICK_SECONDS
    for socket in connections:
        if socket.is_open and socket.connected_at > since:
            connections.announce(socket.identity.player_id, socket)


def _chunks(player_ids: Sequence[Any]) -> list[Sequence[Any]]:
    return [player_ids[start : start + _CHUNK] for start in range(0, len(player_ids), _CHUNK)]


async def wake_those_behind() -> None:
    """Compare every socket's cursor with the log's head."""
    for player_ids in _chunks(connections.player_ids()):
        for player_id, head in (await in_database(heads_of, player_ids)).items():
            for socket in connections.of(player_id):
                socket.heard_of_head(head)


async def end_those_revoked() -> None:
    """Logging out, a new password and deactivation end live sockets."""
    for player_ids in _chunks(connections.player_ids()):
        found = await in_database(standings, player_ids)
        for player_id in player_ids:
            for socket in connections.of(player_id):
                if socket.standing != found.get(player_id):
                    await socket.check_identity()


async def finish_abandoned() -> None:
    """Answer what another process stored and could not answer any more."""
    for player_id in await in_database(players_awaiting_reply, utc_now() - FINISH_AFTER):
        await finish_turns(player_id)


upkeep = Upkeep()


async def lifespan(
    scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """The ASGI lifespan protocol: upkeep starts with the process, so that what another one left is finished."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            upkeep.start()
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return
