"""SIGTERM, as supervisors send it: nobody is cut off in a turn, nobody is told to come back at the same moment."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.faults.clients import devices, how_it_ends, open_socket, until
from tests.faults.fixtures import only_long
from tests.faults.servers import Server, SQLiteStore

Serve = Callable[..., Server]
SLOW = {"CHAT_REPLY_ENGINE": "tests.faults.engines.SlowEngine", "SLOW_ENGINE_SECONDS": "2"}


@pytest.mark.parametrize("is_daphne", [False, pytest.param(True, marks=only_long)], ids=["uvicorn", "daphne"])
async def test_sigterm_finishes_turns_and_says_goodbye(
    is_daphne: bool, serve: Serve, sqlite: SQLiteStore
) -> None:
    server = serve(sqlite, is_daphne=is_daphne, **SLOW)
    async with devices(sqlite.players[:20], server.socket_url, each=2) as made:
        goodbyes: list[float] = []
        asker = made[0]
        said = await asker.say()
        await asyncio.sleep(0.1)
        os.kill(server.pid, signal.SIGTERM)
        await until(lambda: server.get("/readyz")[0] == 503, "readiness is 503", 2)
        async with open_socket(server.socket_url, sqlite.players[-1].token) as late:
            assert await how_it_ends(late) == (1012, "restarting")

        def all_gone() -> bool:
            goodbyes.extend([time.monotonic()] * (sum(len(d.closes) for d in made) - len(goodbyes)))
            return all(device.closes for device in made)

        for device in made:
            device.stop_coming_back()
        await until(all_gone, "everybody was told", 20)
        assert {device.closes[0] for device in made} == {(1012, "restart")}
        assert 1 < goodbyes[-1] - goodbyes[0] < 5
        assert [s.client_id == said for s in asker.record.seen] == [True, False]  # its answer came before
        assert await asyncio.to_thread(server.wait, 15) == 0
