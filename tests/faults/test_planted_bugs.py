"""What the history checker would say of a server that really is broken, and the soak of one that leaks."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.faults.clients import devices, talking
from tests.faults.fixtures import only_long
from tests.faults.history import violations
from tests.faults.servers import ROOT, Server, SQLiteStore


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


@only_long
@pytest.mark.parametrize("leak", ["memory", "tasks", "files"])
def test_leak_planted_in_the_server_is_found_by_the_soak(leak: str) -> None:
    small = {"SOCKETS": "100", "MINUTES": "0.4", "SOAK_FAULTS": f"counts_tasks,leaks={leak}"}
    soak = subprocess.run(
        [sys.executable, "-m", "tests.faults.soak"],
        cwd=ROOT,
        env={**os.environ, **small},
        capture_output=True,
        text=True,
        check=False,
    )
    assert soak.returncode == 1, soak.stderr
    assert f"Growing: {leak}" in soak.stdout
