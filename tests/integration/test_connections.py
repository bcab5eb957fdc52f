"""The life of a connection: how many, for how long, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from dataclasses import replace
from datetime import timedelta

import pytest

from chat import upkeep
from chat.connections import SOCKETS_PER_PLAYER, connections
from chat.consumers import IDLE_SECONDS
from chat.protocol import pong
from tests.clients import Device
from therapy.messages import utc_now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unthrottled")]


def socket_of(player):
    """The server's side of a player's only connection."""
    (found,) = connections.of(player.pk)
    return found


def ends_in(player, seconds: float) -> None:
    socket = socket_of(player)
    socket.identity = replace(socket.identity, expires_at=utc_now() + timedelta(seconds=seconds))


# --- how many ----------------------------------------------------------------------------------------


async def test_sockets_are_known_by_player(ana, cleo, connect):
    for player in (ana, ana, cleo):
        await connect(player)
    assert (len(connections.of(ana.pk)), len(connections.of(cleo.pk)), len(connections)) == (2, 1, 3)


async def test_socket_that_has_gone_is_forgotten(ana, connect):
    await (await connect(ana)).close()
    assert connections.of(ana.pk) == ()
    assert len(connections) == 0


async def test_frame_to_a_player_reaches_all_their_sockets_and_no_other(ana, cleo, connect):
    devices = [await connect(player) for player in (ana, ana, cleo)]
    await connections.send_json(ana.pk, pong("p1"))
    assert [(await device.receive())["type"] for device in devices[:2]] == ["pong", "pong"]
    assert await devices[2].is_silent()


async def test_frame_to_a_socket_reaches_only_that_one(ana, connect):
    first, second = await connect(ana), await connect(ana)
    await connections.send_json(connections.of(ana.pk)[0], pong("p1"))
    assert (await first.receive())["type"] == "pong"
    assert await second.is_silent()


async def test_one_socket_too_many_closes_the_oldest(ana, connect):
    devices = [await connect(ana) for _ in range(SOCKETS_PER_PLAYER + 1)]
    assert await devices[0].closed_with() == (1008, "too_many_connections")
    await devices[-1].send("ping")
    assert (await devices[-1].receive())["type"] == "pong"


async def test_socket_too_many_that_nobody_heard_of_is_noticed_at_the_next_round(ana, connect, monkeypatch):
    with monkeypatch.context() as deaf:
        deaf.setattr(connections, "_tell", lambda *event: None)
        devices = [await connect(ana) for _ in range(SOCKETS_PER_PLAYER + 1)]
    await upkeep.announce_newcomers()
    assert await devices[0].closed_with() == (1008, "too_many_connections")
    assert all([await device.is_silent() for device in devices[1:]])


async def test_full_process_asks_to_try_later(ana, connect, settings):
    settings.CHAT_MAX_CONNECTIONS = 1
    await connect(ana)
    late = await Device.connect()
    assert late.welcome["content"]["code"] == "overloaded"
    assert await late.closed_with() == (1013, "overloaded")
    await late.close()


async def test_process_about_to_end_takes_nobody(ana, connect, monkeypatch):
    monkeypatch.setattr(connections, "is_draining", True)
    late = await Device.connect()
    assert late.welcome["content"]["code"] == "restarting"
    assert await late.closed_with() == (1012, "restarting")
    await late.close()


async def test_process_about_to_end_takes_no_turn(ana, connect, monkeypatch):
    device = await connect(ana)
    monkeypatch.setattr(connections, "is_draining", True)
    await device.say("Hello there", id="m1")
    assert (await device.error())["code"] == "restarting"


async def test_process_about_to_end_is_not_ready(transactional_db, async_client, monkeypatch):
    assert (await async_client.get("/readyz")).status_code == 200
    monkeypatch.setattr(connections, "is_draining", True)
    assert (await async_client.get("/readyz")).status_code == 503
    assert (await async_client.get("/healthz")).status_code == 200


async def test_draining_finishes_turns_and_says_goodbye(ana, connect, monkeypatch):
    monkeypatch.setattr("chat.connections.GOODBYES_SECONDS", 0.01)
    device = await connect(ana)
    await device.say("Hello there", id="m1")
    while not socket_of(ana).is_busy:
        await asyncio.sleep(0)
    draining = asyncio.create_task(connections.drain())
    assert [frame["role"] for frame in await device.frames(2)] == ["system", "assistant"]
    assert await device.closed_with() == (1012, "restart")
    await draining


# --- for how long ------------------------------------------------------------------------------------


async def test_end_of_the_token_is_announced_once(ana, connect):
    device = await connect(ana)
    ends_in(ana, 50)
    for _ in range(2):
        socket_of(ana).tick()
    assert (await device.receive())["content"]["event"] == "token_expiring"
    assert await device.is_silent()


async def test_socket_ends_with_its_token(ana, connect):
    device = await connect(ana)
    ends_in(ana, -1)
    socket_of(ana).tick()
    assert await device.closed_with() == (1008, "token_expired")


async def test_renewed_token_keeps_the_socket(ana, connect, token_of):
    from therapy.database import in_database

    device = await connect(ana)
    ends_in(ana, -1)
    await device.send("authenticate", content={"token": await in_database(token_of, ana)})
    await device.receive_until(event="authenticated")
    socket_of(ana).tick()
    assert await device.ask("Are you still there?")


async def test_idle_socket_is_closed(ana, connect):
    device = await connect(ana)
    socket_of(ana).acted_at = time.monotonic() - IDLE_SECONDS - 1
    socket_of(ana).tick()
    assert await device.closed_with() == (1008, "idle")


async def test_pings_are_no_act_of_the_player(ana, connect):
    device = await connect(ana)
    socket_of(ana).acted_at = time.monotonic() - IDLE_SECONDS - 1
    await device.send("ping")
    await device.receive()
    socket_of(ana).tick()
    assert await device.closed_with() == (1008, "idle")


async def test_acting_keeps_a_socket(ana, connect):
    device = await connect(ana)
    socket_of(ana).acted_at = time.monotonic() - IDLE_SECONDS - 1
    await device.ask("Hello there")
    socket_of(ana).tick()
    assert await device.ask("Are you still there?")


@pytest.mark.parametrize("how", ["inactive", "new password", "deleted"])
async def test_user_who_may_no_longer_is_shown_out(ana, cleo, connect, how):
    device, other = await connect(ana), await connect(cleo)
    if how == "deleted":
        await ana.adelete()
    else:
        ana.is_active = how != "inactive"
        if how == "new password":
            ana.set_password("another horse, another battery")
        await ana.asave()
    await upkeep.end_those_revoked()
    code, reason = await device.closed_with()
    assert (code, reason) == (1008, "token_revoked" if how == "new password" else "user_inactive")
    assert await other.ask("Am I still there?")


async def test_logging_out_shows_out_every_device(ana, connect, async_client):
    from tests.conftest import PASSWORD

    devices = [await connect(ana) for _ in range(2)]
    body = {"username": "ana", "password": PASSWORD}
    pair = (await async_client.post("/api/token/", body, content_type="application/json")).json()
    await async_client.post(
        "/api/token/blacklist/", {"refresh": pair["refresh"]}, content_type="application/json"
    )
    await upkeep.end_those_revoked()
    assert [await device.closed_with() for device in devices] == [(1008, "token_revoked")] * 2


async def test_user_whose_name_changed_stays(ana, connect):
    device = await connect(ana)
    ana.first_name = "Ana"
    await ana.asave()
    await upkeep.end_those_revoked()
    assert await device.ask("Am I still there?")


# --- nudges that were lost ---------------------------------------------------------------------------


async def test_lost_nudge_is_healed_from_the_log(ana, connect, monkeypatch):
    phone, laptop = await connect(ana), await connect(ana)
    with monkeypatch.context() as patched:
        patched.setattr(connections, "broadcast_to_player", lambda *args, **kwargs: None)
        await phone.ask("Hello there")
    assert await laptop.is_silent()
    await upkeep.wake_those_behind()
    assert [frame["role"] for frame in await laptop.frames(2)] == ["user", "assistant"]


async def test_healing_sends_nothing_twice(ana, connect):
    device = await connect(ana)
    await device.ask("Hello there")
    await upkeep.wake_those_behind()
    assert await device.is_silent()


async def test_reader_that_stalls_is_closed(ana, connect):
    device = await connect(ana)
    socket_of(ana)._sending_since = time.monotonic() - 60
    socket_of(ana).tick()
    assert await device.closed_with() == (1013, "slow_reader")


# --- what sockets leave behind -----------------------------------------------------------------------


@pytest.fixture
def collector_off():
    """Python's own collections would hide whether ours happens."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("collector_off")
async def test_many_sockets_that_have_gone_are_freed(ana, connect, monkeypatch):
    monkeypatch.setattr("chat.connections.DEPARTURES_PER_COLLECTION", 3)
    gone = []
    for is_freed in (False, False, True):
        device = await connect(ana)
        gone.append(weakref.ref(socket_of(ana)))
        await device.close()
        connections.clear_away_departed()
        assert [socket() is None for socket in gone] == [is_freed] * len(gone)
