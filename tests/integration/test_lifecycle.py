"""How long a connection lives, in whichever process: tokens, logging out, new passwords, deactivation, idleness."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import psycopg
import pytest

from tests.faults.clients import Device, devices, open_socket, until
from tests.faults.fixtures import Chat, only_long
from tests.faults.servers import SECRETS, Player, Server, SQLiteStore

pytestmark = pytest.mark.faults
KEY = SECRETS["JWT_SIGNING_KEY"]


def token_for(player: Player, seconds: float, **claims: Any) -> str:
    """The player's token, but good for so long from now."""
    known = jwt.decode(player.token, options={"verify_signature": False})
    fresh = {"exp": int(time.time() + seconds), "jti": uuid.uuid4().hex}
    return jwt.encode({**known, **fresh, **claims}, KEY, "HS256")


async def test_end_of_a_token_is_announced_a_minute_before(chat: Chat) -> None:
    ana = chat.player()
    async with devices([replace(ana, token=token_for(ana, 63))], chat.server.socket_url) as (device,):
        await asyncio.sleep(0.5)
        assert not [f for f in device.frames if f["content"].get("event") == "token_expiring"]
        notice = await device.event("token_expiring", 5)
        assert notice["content"]["token_expires_at"] == device.frames[0]["metadata"]["token_expires_at"]


@only_long
async def test_token_that_ended_closes_its_socket(chat: Chat) -> None:
    ana = chat.player()
    async with devices([replace(ana, token=token_for(ana, 3))], chat.server.socket_url) as (device,):
        device.stop_coming_back()
        took = await until(lambda: device.closes, "it is closed", 6)
        assert device.closes == [(1008, "token_expired")]
        assert took > 1


@only_long
async def test_fresh_token_keeps_the_live_socket(chat: Chat) -> None:
    ana = chat.player()
    async with devices([replace(ana, token=token_for(ana, 3))], chat.server.socket_url) as (device,):
        answer = await device.authenticate(token_for(ana, 600))
        assert answer["content"]["event"] == "authenticated"
        await asyncio.sleep(4.5)
        assert (device.connects, device.closes) == (1, [])


@only_long
async def test_fresh_token_of_another_player_is_refused_and_the_old_end_stays(chat: Chat) -> None:
    ana, cleo = chat.player(), chat.player()
    async with devices([replace(ana, token=token_for(ana, 4))], chat.server.socket_url) as (device,):
        answer = await device.authenticate(cleo.token)
        assert answer["content"]["code"] == "token_of_another"
        device.stop_coming_back()
        await until(lambda: device.closes, "it is closed", 6)
        assert device.closes == [(1008, "token_expired")]


def log_out(chat: Chat, player: Player) -> None:
    refresh = token_for(player, 600, token_type="refresh")
    status, body = chat.server.post("/api/token/blacklist/", json.dumps({"refresh": refresh}).encode())
    assert status == 200, body


def change(chat: Chat, player: Player, change: str) -> None:
    with psycopg.connect(chat.store.url) as database:
        database.execute(f"UPDATE auth_user SET {change} WHERE id = {player.id}")


def take_a_new_password(chat: Chat, player: Player) -> None:
    change(chat, player, "password = 'another'")


def deactivate(chat: Chat, player: Player) -> None:
    change(chat, player, "is_active = false")


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        (log_out, "token_revoked"),
        pytest.param(take_a_new_password, "token_revoked", marks=only_long),
        pytest.param(deactivate, "user_inactive", marks=only_long),
    ],
)
async def test_what_ends_a_player_s_tokens_closes_their_sockets_in_every_process_within_5_s(
    deed: Callable[[Chat, Player], None], reason: str, chat: Chat
) -> None:
    ana, cleo = chat.player(), chat.player()
    async with chat.apart(ana) as own, devices([cleo], chat.server.socket_url) as (other,):
        for device in own:
            device.stop_coming_back()
        await asyncio.to_thread(deed, chat, ana)
        await until(lambda: all(device.closes for device in own), "both are closed", 5)
        assert [device.closes for device in own] == [[(1008, reason)]] * 2
        assert not other.closes
        async with open_socket(chat.server.socket_url, ana.token) as again:
            assert json.loads(await again.recv())["content"]["code"] == reason


@only_long
async def test_socket_whose_player_does_nothing_is_closed_though_it_pings(
    serve: Callable[..., Server], sqlite: SQLiteStore
) -> None:
    server = serve(sqlite, faults="idle_after=2")
    async with devices(sqlite.players[:2], server.socket_url) as (idle, busy):
        idle.stop_coming_back()
        for _ in range(16):
            await busy.say()
            if not idle.closes:
                await ping_unless_closed(idle)
            await asyncio.sleep(0.25)
        assert idle.closes == [(1008, "idle")]
        assert not busy.closes


async def ping_unless_closed(device: Device) -> None:
    pinging = asyncio.create_task(device.ping())
    await until(lambda: pinging.done() or device.closes, "a pong or the end")
    pinging.cancel()
    await asyncio.wait({pinging})
