"""People and sockets for every test: ana (a player), ben (her clinician), cleo (an outsider)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import connections

from tests.clients import Device
from therapy.database import READERS, WRITER, in_database

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """PostgreSQL does not drop a database that somebody is connected to."""
    yield
    for executor in (READERS, WRITER):
        executor.shutdown()
    for connection in connections.all(initialized_only=True):
        if getattr(connection, "pool", None) is not None:
            connection.close_pool()


@pytest.fixture(autouse=True)
def _light_hashes(settings: Any) -> None:
    """Argon2 is slow on purpose; what is tested here is not the hasher."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def forget_players() -> None:
    """What is kept of players is forgotten, as in another process; the engine, slow to load, stays."""
    from chat.processing import processor
    from therapy.sessions import SessionIntegrationManager

    if processor.cache_info().currsize:
        processor().sessions = SessionIntegrationManager()


@pytest.fixture
def another_process() -> Callable[[], None]:
    """Call it, and what comes next is served as by a process that has not seen any player yet."""
    return forget_players


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    """Nothing that a process keeps outlives a test."""
    yield
    from channels.layers import channel_layers

    from chat.connections import connections as sockets

    forget_players()
    sockets.clear()
    channel_layers.backends.clear()


def _person(name: str, **fields: Any) -> AbstractBaseUser:
    return get_user_model().objects.create_user(username=name, password=PASSWORD, **fields)


@pytest.fixture
def ana(transactional_db: None) -> AbstractBaseUser:
    return _person("ana", email="ana@example.org")


@pytest.fixture
def ben(transactional_db: None) -> AbstractBaseUser:
    return _person("ben", is_staff=True)


@pytest.fixture
def cleo(transactional_db: None) -> AbstractBaseUser:
    return _person("cleo")


@pytest.fixture
def unthrottled(settings: Any) -> None:
    """For devices that send more than a person would."""
    settings.CHAT_RATE_LIMIT = "1000/second"


@pytest.fixture
def token_of() -> Callable[..., str]:
    from chat.auth import access_token

    return access_token


@pytest.fixture
async def connect(token_of: Callable[..., str]) -> AsyncIterator[Callable[..., Any]]:
    """Connect a device of a player: `device = await connect(ana, since=3)`. Closed after the test."""
    devices: list[Device] = []

    async def connect(player: AbstractBaseUser | None = None, **options: Any) -> Device:
        if player is not None and "token" not in options:
            options["bearer"] = await in_database(token_of, player)
        device = await Device.connect(**options)
        devices.append(device)
        return device

    yield connect
    for device in devices:
        await device.close()
