"""Who may open the socket, and what those hear who may not."""

from __future__ import annotations

from datetime import timedelta

import jwt
import pytest
from django.conf import settings as django_settings
from django.db import OperationalError

from tests.clients import Device
from therapy.database import in_database

pytestmark = pytest.mark.django_db(transaction=True)


async def turned_away(**options) -> tuple[dict, int, str]:
    """What somebody is told, and with which close code and reason they go."""
    device = await Device.connect(**options)
    code, reason = await device.closed_with()
    await device.close()
    return device.welcome["content"], code, reason


async def token_for(player, token_of, **options) -> str:
    return await in_database(token_of, player, **options)


def resigned(token: str, key: str | None = None, algorithm: str = "HS256", **changes) -> str:
    """The same token with other claims or another signature."""
    claims = jwt.decode(token, options={"verify_signature": False}) | changes
    key = django_settings.SIMPLE_JWT["SIGNING_KEY"] if key is None else key
    return jwt.encode(claims, key or None, algorithm)


@pytest.mark.parametrize("way", ["bearer", "authorization", "token"])
async def test_token_is_taken_by_subprotocol_header_and_query(ana, token_of, connect, way):
    token = await token_for(ana, token_of)
    device = await connect(**{way: f"Bearer {token}" if way == "authorization" else token})
    assert device.welcome["content"]["event"] == "welcome"


async def test_subprotocol_is_answered_where_it_was_offered(ana, token_of, connect):
    token = await token_for(ana, token_of)
    assert (await connect(bearer=token)).subprotocol == "chat.v1"
    assert (await connect(token=token)).subprotocol is None


async def test_path_with_a_slash_at_its_end_serves_as_well(ana, connect):
    assert (await connect(ana, path="/ws/chat/")).welcome["content"]["event"] == "welcome"


async def test_no_token_is_told_and_closed():
    content, code, reason = await turned_away()
    assert (content["event"], content["code"]) == ("error", "token_missing")
    assert (code, reason) == (1008, "token_missing")


async def test_error_of_a_bad_token_has_a_sentence_for_people():
    content, _, _ = await turned_away(bearer="not.a.token")
    assert content["text"] == "This token is not valid here."


FORGERIES = {
    "garbage": lambda token: "not.a.token",
    "other key": lambda token: resigned(token, key="another key that is long enough to sign with"),
    "alg none": lambda token: resigned(token, key="", algorithm="none"),
    "refresh": lambda token: resigned(token, token_type="refresh"),
    "other audience": lambda token: resigned(token, aud="another-app"),
    "other issuer": lambda token: resigned(token, iss="another-portal"),
    "signed with SECRET_KEY": lambda token: resigned(token, key=django_settings.SECRET_KEY),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
async def test_forged_token_is_closed_with_1008(ana, token_of, forge):
    forged = forge(await token_for(ana, token_of))
    content, code, reason = await turned_away(bearer=forged)
    assert (content["code"], code, reason) == ("token_invalid", 1008, "token_invalid")


@pytest.mark.parametrize("way", ["authorization", "token"])
async def test_bad_token_is_refused_by_every_way(way):
    _, code, reason = await turned_away(**{way: "Bearer x.y.z" if way == "authorization" else "x.y.z"})
    assert (code, reason) == (1008, "token_invalid")


async def test_refresh_token_of_the_token_path_opens_nothing(ana, async_client):
    body = {"username": "ana", "password": "correct horse battery staple"}
    answer = await async_client.post("/api/token/", body, content_type="application/json")
    _, code, reason = await turned_away(bearer=answer.json()["refresh"])
    assert (code, reason) == (1008, "token_invalid")


async def test_expired_token_says_so(ana, token_of):
    expired = await token_for(ana, token_of, lifetime=timedelta(seconds=-1))
    content, code, reason = await turned_away(bearer=expired)
    assert (content["code"], code, reason) == ("token_expired", 1008, "token_expired")


async def test_inactive_user_is_turned_away(ana, token_of):
    token = await token_for(ana, token_of)
    ana.is_active = False
    await ana.asave()
    _, code, reason = await turned_away(bearer=token)
    assert (code, reason) == (1008, "user_inactive")


async def test_deleted_user_is_turned_away(ana, token_of):
    token = await token_for(ana, token_of)
    await ana.adelete()
    assert (await turned_away(bearer=token))[1:] == (1008, "user_inactive")


async def test_new_password_ends_older_tokens(ana, token_of):
    token = await token_for(ana, token_of)
    ana.set_password("another horse, another battery")
    await ana.asave()
    assert (await turned_away(bearer=token))[1:] == (1008, "token_revoked")


async def test_logging_out_ends_access_tokens(ana, token_of, async_client):
    token = await token_for(ana, token_of)
    body = {"username": "ana", "password": "correct horse battery staple"}
    refresh = (await async_client.post("/api/token/", body, content_type="application/json")).json()[
        "refresh"
    ]
    await async_client.post("/api/token/blacklist/", {"refresh": refresh}, content_type="application/json")
    assert (await turned_away(bearer=token))[1:] == (1008, "token_revoked")


async def test_frames_of_somebody_turned_away_are_not_answered(ana):
    device = await Device.connect()
    await device.closed_with()
    await device.say("Is anybody there?")
    assert await device.is_silent()
    await device.close()


async def test_database_error_at_the_door_says_try_again_later(ana, token_of, monkeypatch):
    token = await token_for(ana, token_of)

    def fail(*args):
        raise OperationalError("canary")

    monkeypatch.setattr("chat.auth.find_user", fail)
    content, code, reason = await turned_away(bearer=token)
    assert (content["code"], code, reason) == ("unavailable", 1013, "unavailable")
    assert content["retry_after_ms"] > 0


async def test_database_error_at_the_welcome_says_try_again_later(ana, token_of, monkeypatch):
    token = await token_for(ana, token_of)

    def fail(player_id):
        raise OperationalError("canary")

    monkeypatch.setattr("chat.consumers.arrival", fail)
    content, code, reason = await turned_away(bearer=token)
    assert (content["code"], code, reason) == ("unavailable", 1013, "unavailable")


# --- origins -----------------------------------------------------------------------------------------


async def is_let_in(player, token_of, origin: str | None, path: str = "/ws/chat") -> bool:
    token = await token_for(player, token_of)
    device, is_accepted = await Device.knock(bearer=token, origin=origin, path=path)
    if is_accepted:
        await device.close()
    return is_accepted


async def test_page_of_an_allowed_origin_is_let_in(ana, token_of):
    assert await is_let_in(ana, token_of, django_settings.CHAT_ALLOWED_ORIGINS[0])


async def test_native_client_without_origin_is_let_in(ana, token_of):
    assert await is_let_in(ana, token_of, None)


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://localhost:8000",
        "http://localhost:8001",
        "http://localhost",
        "http://localhost:8000.evil.example",
        "http://evil.example/http://localhost:8000",
        "http://127.0.0.1@evil.example:8000",
        "null",
        "",
        "file://",
        "localhost:8000",
        "http://[",
        "http://localhost:port",
        "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
    ],
)
async def test_page_of_another_origin_is_refused(ana, token_of, settings, origin):
    assert not await is_let_in(ana, token_of, origin)


# --- other paths -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/ws", "/ws/chat/room", "/ws/chatter", "/api/messages/", "/ws/%0Achat"]
)
async def test_unknown_path_is_closed(ana, token_of, path):
    assert not await is_let_in(ana, token_of, None, path)
