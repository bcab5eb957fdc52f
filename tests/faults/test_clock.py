"""The wall clock jumps: tokens go by it, and nothing else does."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from tests.faults.clients import assert_whole, devices, talking, until
from tests.faults.fixtures import only_long
from tests.faults.servers import Server, SQLiteStore

Serve = Callable[..., Server]


@pytest.mark.parametrize("seconds", [3600, pytest.param(-3600, marks=only_long)], ids=["ahead", "back"])
async def test_clock_that_jumps_an_hour_and_back_is_noticed_by_nobody(
    seconds: int, serve: Serve, sqlite: SQLiteStore
) -> None:
    server = serve(sqlite, faults=f"clock_jumps={seconds}", CHAT_RATE_LIMIT="100/second")
    async with devices(sqlite.players[:3], server.socket_url, each=2) as made:
        async with talking(made, every=0.1):
            for jump in (signal.SIGUSR1, signal.SIGUSR2):
                await asyncio.sleep(0.5)
                os.kill(server.pid, jump)
                await asyncio.sleep(1.5)
        await assert_whole(sqlite, made)
        assert all(device.connects == 1 for device in made)
        assert not any(device.errors() for device in made)


async def test_token_that_the_clock_jumps_past_ends_its_socket(serve: Serve, sqlite: SQLiteStore) -> None:
    server = serve(sqlite, faults=f"clock_jumps={2 * 86400}")
    async with devices(sqlite.players[:1], server.socket_url) as (device,):
        os.kill(server.pid, signal.SIGUSR1)
        await until(lambda: device.closes, "the socket is closed", 5)
        assert device.closes[0] == (1008, "token_expired")
