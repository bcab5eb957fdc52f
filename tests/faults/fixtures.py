"""Servers to break. FAULTS=long makes every fault last as long as in the worst of lives."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.clients import Device, devices
from tests.faults.servers import Player, Postgres, PostgresStore, Redis, Server, SQLiteStore, Store

PLAYERS = 100
IS_LONG = os.environ.get("FAULTS") == "long"
_names = itertools.count(1)
#: For what takes its time; the short form breaks the same thing in another test, or for a shorter while.
only_long = pytest.mark.skipif(not IS_LONG, reason="in the long form only: FAULTS=long")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "faults: breaks real processes; FAULTS=long makes it last")


@pytest.fixture
def seconds() -> Callable[[float, float], float]:
    """How long a fault lasts: `seconds(short, long)`."""
    return lambda short, long: long if IS_LONG else short


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> SQLiteStore:
    store = SQLiteStore(f"sqlite:///{tmp_path_factory.mktemp('template') / 'chat.sqlite3'}")
    store.prepare(PLAYERS)
    return store


@pytest.fixture
def sqlite(sqlite_template: SQLiteStore, tmp_path: Path) -> SQLiteStore:
    return sqlite_template.copy_to(tmp_path)


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[tuple[Postgres, PostgresStore]]:
    cluster = Postgres().start()
    try:
        cluster.run("CREATE ROLE chat LOGIN")
        template = cluster.create("template_chat")
        template.prepare(PLAYERS)
        yield cluster, template
    finally:
        cluster.remove()


@pytest.fixture
def cluster(postgres_template: tuple[Postgres, PostgresStore]) -> Postgres:
    return postgres_template[0]


@pytest.fixture
def postgres(postgres_template: tuple[Postgres, PostgresStore]) -> PostgresStore:
    cluster, template = postgres_template
    store = cluster.create(f"chat{next(_names)}", template="template_chat")
    store.players = template.players
    return store


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    redis = Redis(tmp_path).start()
    yield redis
    redis.thaw()
    redis.kill()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a server: `server = serve(store, workers=2, redis_url=...)`. Killed after the test."""
    servers: list[Server] = []

    def serve(store: Store, **options: Any) -> Server:
        servers.append(Server(store, tmp_path, **options))
        return servers[-1].start()

    yield serve
    for server in servers:
        server.thaw()
        server.kill()


@pytest.fixture(scope="session")
def solo(sqlite_template: SQLiteStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One process with SQLite, for tests that do it no harm."""
    directory = tmp_path_factory.mktemp("solo")
    server = Server(sqlite_template.copy_to(directory), directory)
    try:
        yield server.start()
    finally:
        server.kill()


@dataclass(frozen=True)
class Chat:
    """Two workers of one server, with PostgreSQL and Redis. Tests share it, each with players of its own."""

    server: Server
    store: PostgresStore
    redis: Redis
    _unused: Iterator[Player]

    def player(self) -> Player:
        return next(self._unused)

    def worker_of(self, device: Device) -> int:
        """The process that a device is connected to."""
        for worker in self.server.workers():
            if device.port in {peer.raddr.port for peer in worker.net_connections("tcp") if peer.raddr}:
                return worker.pid
        raise LookupError

    @asynccontextmanager
    async def apart(self, player: Player) -> AsyncIterator[list[Device]]:
        """Two devices of a player that two workers look after."""
        async with AsyncExitStack() as stack:
            made: list[Device] = []
            while len({self.worker_of(device) for device in made}) < 2:
                for device in made[1:]:
                    await device.stop()
                made = made[:1] + await stack.enter_async_context(devices([player], self.server.socket_url))
            yield made


@pytest.fixture(scope="session")
def chat(
    postgres_template: tuple[Postgres, PostgresStore], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Chat]:
    cluster, template = postgres_template
    store = cluster.create("chat_of_many", template="template_chat")
    directory = tmp_path_factory.mktemp("many")
    redis = Redis(directory).start()
    server = Server(store, directory, workers=2, redis_url=redis.url)
    try:
        server.start()
        yield Chat(server, store, redis, iter(template.players))
    finally:
        server.kill()
        redis.kill()
