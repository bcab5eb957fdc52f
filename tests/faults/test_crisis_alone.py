"""Somebody in danger is answered at once, whatever else is broken."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing

from tests.faults.clients import Device, assert_whole, devices, until
from tests.faults.servers import Postgres, PostgresStore, Redis, Server, SQLiteStore

Serve = Callable[..., Server]
DANGER = "I have the pills here and I am going to kill myself tonight"
AT_ONCE_SECONDS = 1.5


async def is_helped(device: Device) -> tuple[float, bool]:
    """Seconds until help was there, and whether it is stored."""
    before = len(device.frames)
    await device.say(DANGER)

    def helping() -> list[bool]:
        return [
            frame["metadata"].get("stored") is not False
            for frame in device.frames[before:]
            if any(element["type"] == "resource" for element in frame["content"].get("elements", []))
        ]

    took = await until(helping, "help")
    return took, helping()[0]


async def test_crisis_is_answered_with_database_redis_and_engine_down(
    serve: Serve, postgres: PostgresStore, redis: Redis, cluster: Postgres, note: Callable[[str], None]
) -> None:
    server = serve(postgres, redis_url=redis.url, CHAT_REPLY_ENGINE="tests.faults.engines.DeadEngine")
    async with devices(postgres.players[:2], server.socket_url) as (ana, newcomer):
        await ana.acknowledged(await ana.say())  # the process knows her; of the other it knows nothing yet
        redis.freeze()
        await asyncio.to_thread(cluster.stop, "immediate")
        try:
            for device in (ana, newcomer, ana):
                took, is_stored = await is_helped(device)
                note(f"help with everything down was there after {1000 * took:.0f} ms")
                assert (took < AT_ONCE_SECONDS, is_stored) == (True, False), took
        finally:
            await asyncio.to_thread(cluster.start)
            redis.thaw()
        await assert_whole(postgres, [ana, newcomer])


async def test_crisis_is_answered_at_once_behind_a_locked_database(serve: Serve, sqlite: SQLiteStore) -> None:
    server = serve(sqlite)
    async with devices(sqlite.players[:2], server.socket_url) as (ana, newcomer):
        await ana.acknowledged(await ana.say())
        with closing(sqlite3.connect(sqlite.path)) as database:
            database.execute("BEGIN IMMEDIATE")
            for device in (ana, newcomer):
                took, is_stored = await is_helped(device)
                assert (took < AT_ONCE_SECONDS, is_stored) == (True, False), took
        await assert_whole(sqlite, [ana, newcomer])


async def test_crisis_is_answered_at_once_behind_an_engine_that_takes_its_time(
    serve: Serve, sqlite: SQLiteStore
) -> None:
    slow = {"CHAT_REPLY_ENGINE": "tests.faults.engines.SlowEngine", "SLOW_ENGINE_SECONDS": "2"}
    server = serve(sqlite, **slow)
    async with devices(sqlite.players[:1], server.socket_url) as (ana,):
        await ana.say()
        took, _ = await is_helped(ana)
        assert took < AT_ONCE_SECONDS, took
        await assert_whole(sqlite, [ana])
