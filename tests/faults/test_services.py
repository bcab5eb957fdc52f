"""Redis and PostgreSQL going away and coming back under load."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import psycopg
import pytest

from tests.faults.clients import Device, assert_whole, devices, talking, until
from tests.faults.fixtures import only_long
from tests.faults.servers import Postgres, PostgresStore, Redis, Server

Serve = Callable[..., Server]
Span = Callable[[float, float], float]


@pytest.fixture
def pair(serve: Serve, postgres: PostgresStore, redis: Redis) -> tuple[str, str]:
    """The socket URLs of two processes that share a database and Redis."""
    one, two = (serve(postgres, redis_url=redis.url) for _ in "12")
    return one.socket_url, two.socket_url


@contextmanager
def stopped(redis: Redis) -> Iterator[None]:
    redis.kill()
    yield
    redis.start()


@contextmanager
def frozen(redis: Redis) -> Iterator[None]:
    redis.freeze()
    yield
    redis.thaw()


async def reach(speaker: Device, other: Device) -> tuple[float, float]:
    """Seconds from a word to its acknowledgement, and to the other device."""
    client_id = await speaker.say()
    acknowledged = await speaker.acknowledged(client_id)
    seen = await until(lambda: any(s.client_id == client_id for s in other.record.seen), "the other device")
    return acknowledged, acknowledged + seen


@pytest.mark.parametrize("gone", [frozen, pytest.param(stopped, marks=only_long)])
async def test_without_redis_answers_are_immediate_and_other_devices_poll(
    gone: Callable[..., Iterator[None]],
    pair: tuple[str, str],
    postgres: PostgresStore,
    redis: Redis,
    seconds: Span,
) -> None:
    ana = postgres.players[:1]
    async with devices(ana, pair[0]) as (one,), devices(ana, pair[1]) as (other,):
        with gone(redis):
            await asyncio.sleep(seconds(2.5, 20))  # one call to the layer has failed by then
            for _ in range(int(seconds(2, 10))):
                acknowledged, seen = await reach(one, other)
                assert acknowledged < 0.5
                assert seen < 2.5
        await asyncio.sleep(3)
        quickest = [await reach(one, other) for _ in range(5)]
        assert max(seen for _, seen in quickest) < 0.5, quickest
        await assert_whole(postgres, [one, other])
        assert one.connects == other.connects == 1


async def test_flushed_redis_is_noticed_by_nobody(
    pair: tuple[str, str], postgres: PostgresStore, redis: Redis
) -> None:
    async with devices(postgres.players[:3], *pair, each=2) as made:
        async with talking(made, every=0.1):
            for _ in range(5):
                redis.command("FLUSHALL")
                redis.command("SCRIPT", "FLUSH")
                await asyncio.sleep(0.2)
        await assert_whole(postgres, made)
        assert all(device.connects == 1 for device in made)


async def test_redis_that_comes_and_goes_under_load_costs_nobody_anything(
    pair: tuple[str, str], postgres: PostgresStore, redis: Redis, seconds: Span
) -> None:
    async with devices(postgres.players[:4], *pair, each=3) as made:
        async with talking(made, every=0.1):
            for _ in range(int(seconds(2, 20))):
                with stopped(redis):
                    await asyncio.sleep(1)
                await asyncio.sleep(0.5)
        await assert_whole(postgres, made)
        assert all(device.connects == 1 for device in made)
        assert not any(device.errors() for device in made)


async def test_postgresql_stopped_under_load_loses_nothing(
    pair: tuple[str, str], postgres: PostgresStore, cluster: Postgres, seconds: Span
) -> None:
    async with devices(postgres.players[:4], *pair, each=2) as made:
        async with talking(made, every=0.2):
            await asyncio.sleep(0.5)
            for _ in range(int(seconds(1, 5))):
                await asyncio.to_thread(cluster.stop, "immediate")
                await asyncio.sleep(seconds(2, 20))
                await asyncio.to_thread(cluster.start)
                await asyncio.sleep(1)
        await assert_whole(postgres, made, 60)
        assert {e["code"] for device in made for e in device.errors()} <= {"not_stored", "inbox_full"}
        assert all(device.connects == 1 for device in made)


def take_every_connection(url: str, cluster: Postgres, taken: ExitStack) -> None:
    """The free ones, and then those that the server had open."""
    own: list[int] = []
    for _ in range(3):
        with suppress(psycopg.OperationalError):
            while True:
                own.append(taken.enter_context(psycopg.connect(url)).info.backend_pid)
        cluster.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE usename = 'chat' AND NOT pid = ANY(ARRAY{own})"
        )
    with suppress(psycopg.OperationalError):
        while True:
            taken.enter_context(psycopg.connect(url))


async def test_postgresql_out_of_connections_is_a_matter_of_waiting(
    serve: Serve, postgres: PostgresStore, cluster: Postgres, seconds: Span
) -> None:
    server = serve(postgres)
    async with devices(postgres.players[:3], server.socket_url) as made:
        async with talking(made, every=0.3):
            with ExitStack() as taken:
                await asyncio.to_thread(take_every_connection, postgres.url, cluster, taken)
                await until(lambda: any(device.errors("not_stored") for device in made), "a refusal", 15)
                assert await made[0].ping() < 0.5
                await asyncio.sleep(seconds(1, 20))
            await asyncio.sleep(1)
        await assert_whole(postgres, made, 60)
        assert all(device.connects == 1 for device in made)
