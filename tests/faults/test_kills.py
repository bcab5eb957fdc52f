"""Processes that die, restart and freeze under load: nothing acknowledged is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from tests.faults.clients import assert_whole, devices, talking, until
from tests.faults.servers import PostgresStore, Redis, Server, SQLiteStore

Serve = Callable[..., Server]
Span = Callable[[float, float], float]
SLOW = {"CHAT_REPLY_ENGINE": "tests.faults.engines.SlowEngine", "SLOW_ENGINE_SECONDS": "1"}


async def test_sigkill_at_random_under_load_loses_nothing(
    serve: Serve, sqlite: SQLiteStore, seconds: Span, note: Callable[[str], None]
) -> None:
    server = serve(sqlite)
    async with devices(sqlite.players[:6], server.socket_url, each=2) as made:
        async with talking(made, every=0.1):
            for _ in range(int(seconds(2, 30))):
                await asyncio.sleep(random.uniform(0.2, 1))
                server.kill()
                await asyncio.to_thread(server.start)
        await assert_whole(sqlite, made)
    acknowledged = sum(len(device.record.acknowledged) for device in made)
    note(f"{acknowledged} messages were acknowledged by processes that were killed, and all are stored once")
    assert acknowledged > 100


async def test_turn_committed_when_its_process_dies_is_acknowledged_as_a_duplicate(
    serve: Serve, sqlite: SQLiteStore
) -> None:
    server = serve(sqlite, faults="killed_before_ack=20")
    async with devices(sqlite.players[:4], server.socket_url, each=2) as made:
        async with talking(made):
            await asyncio.to_thread(server.wait)
        server.faults = ""
        await asyncio.to_thread(server.start)
        await assert_whole(sqlite, made)


async def test_message_stored_when_its_process_dies_is_answered_once_when_its_player_returns(
    serve: Serve, sqlite: SQLiteStore
) -> None:
    server = serve(sqlite, faults="killed_before_reply", **SLOW)
    async with devices(sqlite.players[:1], server.socket_url, each=2) as made:
        said = await made[0].say()
        await made[0].acknowledged(said)
        await asyncio.to_thread(server.wait)
        assert sqlite.head(made[0].player) == 1
        server.faults = ""
        await asyncio.to_thread(server.start)
        await until(lambda: sqlite.head(made[0].player) == 2, "the reply is stored")
        await assert_whole(sqlite, made)


async def test_rolling_restart_of_one_of_two_is_noticed_by_nobody(
    serve: Serve, postgres: PostgresStore, redis: Redis, seconds: Span
) -> None:
    one, two = (serve(postgres, redis_url=redis.url) for _ in "12")
    async with devices(postgres.players[:6], one.socket_url, two.socket_url, each=2) as made:
        async with talking(made, every=0.2):
            for server in [one, two][: int(seconds(1, 2))] * int(seconds(1, 5)):
                assert await asyncio.to_thread(server.stop) == 0
                await asyncio.to_thread(server.start)
        await assert_whole(postgres, made)
    goodbyes = [close for device in made for close in device.closes if close != (0, "")]
    assert (1012, "restart") in goodbyes


async def test_frozen_process_goes_on_where_it_was(serve: Serve, sqlite: SQLiteStore, seconds: Span) -> None:
    server = serve(sqlite)
    async with devices(
        sqlite.players[:4], server.socket_url, each=2, ping_interval=1, ping_timeout=1
    ) as made:
        async with talking(made, every=0.2):
            server.freeze()
            await asyncio.sleep(seconds(3, 60))
            server.thaw()
            await asyncio.sleep(1)
        await assert_whole(sqlite, made)
