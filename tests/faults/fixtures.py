"""Servers to break. FAULTS=long makes every fault last as long as in the worst of lives."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.servers import Postgres, PostgresStore, Redis, Server, SQLiteStore, Store

PLAYERS = 100
IS_LONG = os.environ.get("FAULTS") == "long"
_names = itertools.count(1)


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
