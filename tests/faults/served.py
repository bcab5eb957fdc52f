"""The served process with something wrong in it: `python -m tests.faults.served serve`.

SERVED_FAULTS names what, as `fault` or `fault=value`, with commas. The product itself knows nothing of this.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

FAULTS: dict[str, Callable[[str], None]] = {}


def fault(apply: Callable[[str], None]) -> Callable[[str], None]:
    FAULTS[apply.__name__] = apply
    return apply


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put `make(what is there)` in place of what is there."""
    setattr(owner, name, make(getattr(owner, name)))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@fault
def killed_before_ack(nth: str) -> None:
    """Dies when its nth turn is committed and nobody has been told."""
    from therapy import journal

    turns = iter(range(1, int(nth)))

    def make(original: Any) -> Any:
        def tell(outcome: Any, result: Any) -> None:
            if isinstance(result, journal.Appended) and next(turns, None) is None:
                die()
            original(outcome, result)

        return tell

    replace(journal, "_tell", make)


@fault
def killed_before_reply(_: str) -> None:
    """Dies between a player's message that is stored and acknowledged, and its reply."""
    from therapy.processor import ChatProcessor

    def make(original: Any) -> Any:
        async def answer_stored(*_: Any) -> None:
            die()

        return answer_stored

    replace(ChatProcessor, "_answer_stored", make)


@fault
def pings_every(seconds: str) -> None:
    """Dead connections are noticed after this long, in place of 20 s and 20 s more."""
    import uvicorn

    def make(original: Any) -> Any:
        def config(*args: Any, **options: Any) -> Any:
            patience = {"ws_ping_interval": float(seconds), "ws_ping_timeout": float(seconds)}
            return original(*args, **{**options, **patience})

        return config

    replace(uvicorn, "Config", make)


@fault
def sends_into(bytes_: str) -> None:
    """The network takes no more than so much that nobody reads; else the kernel takes megabytes."""
    import socket

    from chat.server import ChatProtocol

    def make(original: Any) -> Any:
        def connection_made(self: Any, transport: Any) -> None:
            original(self, transport)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, int(bytes_))

        return connection_made

    replace(ChatProtocol, "connection_made", make)


@fault
def idle_after(seconds: str) -> None:
    from chat import consumers

    consumers.IDLE_SECONDS = float(seconds)  # type: ignore[assignment]


@fault
def stalls_after(seconds: str) -> None:
    """A reader that has stopped is let go after this long, in place of 10 s."""
    from chat import consumers

    consumers.STALLED_SECONDS = float(seconds)


@fault
def clock_jumps(seconds: str) -> None:
    """The wall clock jumps ahead on SIGUSR1 and back on SIGUSR2; time.monotonic() does not, as in life."""
    import time_machine

    travellers: list[Any] = []

    def jump(number: int, _: Any) -> None:
        import datetime

        while travellers:
            travellers.pop().stop()
        if number == signal.SIGUSR1:
            ahead = datetime.datetime.now(datetime.UTC) + timedelta(seconds=float(seconds))
            travellers.append(time_machine.travel(ahead, tick=True))
            travellers[-1].start()

    signal.signal(signal.SIGUSR1, jump)
    signal.signal(signal.SIGUSR2, jump)


@fault
def raises(where: str) -> None:
    """A handler raises, with the player's words in its exception, whenever they ask it to."""
    from chat.consumers import ChatConsumer
    from therapy.processor import ChatProcessor

    def raise_if_asked(frame: Any) -> None:
        words = str(getattr(frame, "content", ""))
        if "please raise" in words:
            raise RuntimeError(words)

    def in_turn(original: Any) -> Any:
        async def turn(self: Any, state: Any, act: Any) -> Any:
            raise_if_asked(act.incoming)
            return await original(self, state, act)

        return turn

    def in_reader(original: Any) -> Any:
        async def take(self: Any, frame: Any) -> None:
            raise_if_asked(frame)
            await original(self, frame)

        return take

    if where == "turn":
        replace(ChatProcessor, "_turn", in_turn)
    else:
        replace(ChatConsumer, "_take", in_reader)


@fault
def counts_tasks(_: str) -> None:
    """/metrics tells how many asyncio tasks there are."""
    import asyncio

    from prometheus_client import Gauge

    from chat.upkeep import Upkeep

    tasks = Gauge("asyncio_tasks", "Tasks of the event loop.", multiprocess_mode="livesum")

    def make(original: Any) -> Any:
        async def run(self: Any) -> None:
            counting = asyncio.create_task(count())
            try:
                await original(self)
            finally:
                counting.cancel()

        return run

    async def count() -> None:
        while True:
            tasks.set(len(asyncio.all_tasks()))
            await asyncio.sleep(0.5)

    replace(Upkeep, "_run", make)


@fault
def echoes(_: str) -> None:
    """/echo sends back what comes, for Autobahn: the servers alone, without the product."""
    from channels.generic.websocket import AsyncWebsocketConsumer
    from django.urls import path

    from chat.routing import websocket_urlpatterns

    class Echo(AsyncWebsocketConsumer):  # type: ignore[misc]
        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            await self.send(text_data, bytes_data)

    websocket_urlpatterns.insert(0, path("echo", Echo.as_asgi()))


# --- bugs that the soak must find ----------------------------------------------------------------------


@fault
def leaks(what: str) -> None:
    """Each socket that goes leaves something behind: memory, a task, or an open file."""
    import asyncio

    from chat.connections import ConnectionManager

    left: list[Any] = []
    leak: dict[str, Callable[[], Any]] = {
        "memory": lambda: bytearray(1_000_000),
        "tasks": lambda: asyncio.create_task(asyncio.Event().wait()),
        "files": lambda: open(os.devnull),  # noqa: SIM115
    }

    def make(original: Any) -> Any:
        async def disconnect(*arguments: Any) -> None:
            left.append(leak[what]())
            await original(*arguments)

        return disconnect

    replace(ConnectionManager, "disconnect", make)


# --- bugs that the history checker must find ---------------------------------------------------------


@fault
def acks_before_commit(_: str) -> None:
    """Turns are acknowledged, and every third transaction is never committed."""
    from django.db import transaction

    from therapy import journal

    count = iter(range(1, 10**9))

    def make(original: Any) -> Any:
        def append(turns: Any) -> Any:
            with transaction.atomic():
                outcomes = list(original(turns))
                transaction.set_rollback(next(count) % 3 == 0)
            return outcomes

        return append

    replace(journal, "_append_together", make)


@fault
def drops_rows(_: str) -> None:
    """Every seventh row is not inserted."""
    from therapy import journal

    count = iter(range(1, 10**9))
    replace(journal, "_insert", lambda original: lambda rows: original([r for r in rows if next(count) % 7]))


@fault
def swaps_rows(_: str) -> None:
    """The last two rows of every transaction are stored with each other's sequence number."""
    from therapy import journal

    def swapped(rows: list[journal._Row]) -> list[journal._Row]:
        *others, one, two = rows
        if one.player_id != two.player_id:
            return rows
        return [*others, one._replace(seq=two.seq), two._replace(seq=one.seq)]

    replace(journal, "_insert", lambda original: lambda rows: original(swapped(rows)))


@fault
def nudges_the_wrong_player(_: str) -> None:
    """Every tenth reading of a log is of the next player's."""
    from chat import delivery

    count = iter(range(1, 10**9))

    def make(original: Any) -> Any:
        async def read_after(player_id: Any, cursor: int, limit: int) -> Any:
            return await original(player_id + (next(count) % 10 == 0), cursor, limit)

        return read_after

    replace(delivery, "read_after", make)


for named in filter(None, os.environ.get("SERVED_FAULTS", "").split(",")):
    name, _, value = named.partition("=")
    FAULTS[name](value)

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
