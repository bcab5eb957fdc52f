"""A database file that can't be written: locked by somebody else, or on a disk that is full."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.faults.clients import assert_whole, devices, talking, until
from tests.faults.servers import Server, SQLiteStore

Serve = Callable[..., Server]
Span = Callable[[float, float], float]


async def test_locked_sqlite_is_a_matter_of_waiting(serve: Serve, sqlite: SQLiteStore, seconds: Span) -> None:
    server = serve(sqlite)
    async with devices(sqlite.players[:3], server.socket_url, each=2) as made:
        async with talking(made, every=0.3):
            with closing(sqlite3.connect(sqlite.path)) as database:
                database.execute("BEGIN IMMEDIATE")
                for _ in range(int(seconds(3, 30))):
                    assert await made[0].ping() < 0.5
                    await asyncio.sleep(1)
        await assert_whole(sqlite, made, 60)
        assert {error["code"] for device in made for error in device.errors()} <= {"not_stored", "inbox_full"}
        assert all(device.connects == 1 for device in made)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root mounts a disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], check=False)
    if mounted.returncode != 0:
        pytest.skip("no disk may be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(ballast: Path) -> None:
    with suppress(OSError), ballast.open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))


async def test_full_disk_refuses_retryably_and_says_not_ready_until_there_is_room(
    serve: Serve, sqlite_template: SQLiteStore, small_disk: Path
) -> None:
    store = sqlite_template.copy_to(small_disk)
    server = serve(store)
    ballast = small_disk / "ballast"
    async with devices(store.players[:3], server.socket_url, each=2) as made:
        async with talking(made, every=0.05):
            await asyncio.sleep(0.5)
            assert server.get("/readyz")[0] == 200
            fill(ballast)
            await until(lambda: any(device.errors("not_stored") for device in made), "a refusal")
            await until(lambda: server.get("/readyz")[0] == 503, "not ready", 5)
            assert await made[0].ping() < 0.5
            ballast.unlink()
            await until(lambda: server.get("/readyz")[0] == 200, "ready again", 5)
        await assert_whole(store, made, 60)
        assert all(device.connects == 1 for device in made)
