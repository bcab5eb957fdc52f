"""What the history checker would say of a server that really is broken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.faults.clients import devices, talking
from tests.faults.history import violations
from tests.faults.servers import Server, SQLiteStore


@pytest.mark.parametrize(
    ("bug", "finding"),
    [
        ("acks_before_commit", "which is not stored"),
        ("drops_rows", "missing"),
        ("swaps_rows", "got another frame at"),
        ("nudges_the_wrong_player", "got player"),
    ],
)
async def test_bug_planted_in_the_server_is_found(
    bug: str, finding: str, serve: Callable[..., Server], sqlite: SQLiteStore
) -> None:
    server = serve(sqlite, faults=bug)
    async with devices(sqlite.players[:3], server.socket_url, each=2) as made:
        async with talking(made):
            await asyncio.sleep(1)
        await asyncio.sleep(0.5)
    found = violations(sqlite.log(), [device.record for device in made], sqlite.markers())
    assert any(finding in sentence for sentence in found), found
