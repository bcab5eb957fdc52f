"""What is there over HTTP."""

from __future__ import annotations

import asyncio
import re

import pytest
from django.db import OperationalError
from rest_framework_simplejwt.settings import api_settings

from tests.conftest import PASSWORD
from therapy.models import PlayerProfile

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unthrottled")]


@pytest.fixture
def get(async_client, token_of):
    async def get(path: str, player=None, **query):
        headers = {}
        if player is not None:
            headers["Authorization"] = f"Bearer {await asyncio.to_thread(token_of, player)}"
        return await async_client.get(path, query, headers=headers)

    return get


@pytest.fixture
def post(async_client):
    async def post(path: str, body):
        return await async_client.post(path, body, content_type="application/json")

    return post


async def log_in(post, name="ana", password=PASSWORD):
    return await post("/api/token/", {"username": name, "password": password})


# --- tokens ------------------------------------------------------------------------------------------


async def test_name_and_password_get_a_pair_of_tokens(ana, post, connect):
    pair = (await log_in(post)).json()
    assert set(pair) == {"access", "refresh"}
    assert (await connect(bearer=pair["access"])).welcome["content"]["event"] == "welcome"


async def test_wrong_password_gets_none(ana, post):
    assert (await log_in(post, password="wrong")).status_code == 401


async def test_inactive_user_gets_none(ana, post):
    ana.is_active = False
    await ana.asave()
    assert (await log_in(post)).status_code == 401


def test_access_tokens_live_10_minutes():
    assert api_settings.ACCESS_TOKEN_LIFETIME.total_seconds() == 600


async def test_refreshing_gives_a_fresh_pair(ana, post, connect):
    first = (await log_in(post)).json()
    fresh = (await post("/api/token/refresh/", {"refresh": first["refresh"]})).json()
    assert fresh["refresh"] != first["refresh"]
    assert (await connect(bearer=fresh["access"])).welcome["content"]["event"] == "welcome"


async def test_refresh_token_serves_once(ana, post):
    refresh = (await log_in(post)).json()["refresh"]
    answers = [await post("/api/token/refresh/", {"refresh": refresh}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 401]


async def test_rotated_refresh_token_serves_as_well(ana, post):
    refresh = (await log_in(post)).json()["refresh"]
    for _ in range(3):
        answer = await post("/api/token/refresh/", {"refresh": refresh})
        refresh = answer.json()["refresh"]
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body", [{}, {"refresh": ""}, {"refresh": "x.y.z"}, {"refresh": 5}, [], {"refresh": None}]
)
@pytest.mark.parametrize("path", ["/api/token/refresh/", "/api/token/blacklist/"])
async def test_garbage_in_place_of_a_refresh_token_is_refused(ana, post, path, body):
    assert (await post(path, body)).status_code in {400, 401}


async def test_access_token_refreshes_nothing(ana, post):
    access = (await log_in(post)).json()["access"]
    assert (await post("/api/token/refresh/", {"refresh": access})).status_code == 401


@pytest.mark.parametrize("how", ["inactive", "deleted", "new password"])
async def test_refresh_token_ends_with_its_user(ana, post, how):
    refresh = (await log_in(post)).json()["refresh"]
    ana.is_active = how != "inactive"
    ana.set_password("another horse, another battery" if how == "new password" else PASSWORD)
    if how == "deleted":
        await ana.adelete()
    elif how == "new password":
        await ana.asave()
    else:
        await ana.asave(update_fields=["is_active"])
    assert (await post("/api/token/refresh/", {"refresh": refresh})).status_code == 401


async def test_logging_out_ends_every_token_of_the_player(ana, post, get):
    first, second = [(await log_in(post)).json() for _ in range(2)]
    assert (await post("/api/token/blacklist/", {"refresh": first["refresh"]})).status_code == 200
    for pair in (first, second):
        assert (await post("/api/token/refresh/", {"refresh": pair["refresh"]})).status_code == 401


async def test_logging_out_ends_nobody_elses_tokens(ana, cleo, post):
    mine, other = (await log_in(post)).json(), (await log_in(post, "cleo")).json()
    await post("/api/token/blacklist/", {"refresh": mine["refresh"]})
    assert (await post("/api/token/refresh/", {"refresh": other["refresh"]})).status_code == 200


async def test_logging_out_twice_is_refused_and_harmless(ana, post):
    refresh = (await log_in(post)).json()["refresh"]
    answers = [await post("/api/token/blacklist/", {"refresh": refresh}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 401]
    assert (await PlayerProfile.objects.aget(pk=ana.pk)).token_version == 1


async def test_one_can_log_in_again_after_logging_out(ana, post, get):
    refresh = (await log_in(post)).json()["refresh"]
    await post("/api/token/blacklist/", {"refresh": refresh})
    assert (await get("/api/messages/", ana)).status_code == 200


# --- messages ----------------------------------------------------------------------------------------


async def test_messages_are_the_frames_of_the_socket(ana, connect, get):
    phone, laptop = await connect(ana), await connect(ana)
    await phone.ask("I'm anxious about tomorrow", id="m1")
    await phone.do("breathing")
    live = await laptop.frames(6)
    assert (await get("/api/messages/", ana)).json() == {"messages": live}


async def test_messages_come_after_a_cursor_and_up_to_a_limit(ana, connect, get):
    device = await connect(ana)
    for _ in range(3):
        await device.ask("Hello there")
    found = (await get("/api/messages/", ana, after=2, limit=3)).json()["messages"]
    assert [frame["metadata"]["seq"] for frame in found] == [3, 4, 5]


async def test_messages_after_the_newest_are_none(ana, connect, get):
    await (await connect(ana)).ask("Hello there")
    assert (await get("/api/messages/", ana, after=2)).json() == {"messages": []}


async def test_messages_of_another_player_are_not_shown(ana, cleo, connect, get):
    await (await connect(ana)).ask("Hello there")
    assert (await get("/api/messages/", cleo)).json() == {"messages": []}
    assert (await get("/api/messages/", cleo, user=ana.pk, player_id=ana.pk)).json() == {"messages": []}


@pytest.mark.parametrize(
    "query",
    [
        {"after": "-1"},
        {"after": "soon"},
        {"after": "1.5"},
        {"after": str(2**63)},
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "many"},
    ],
)
async def test_bad_parameters_are_named(ana, get, query):
    answer = await get("/api/messages/", ana, **query)
    assert answer.status_code == 400
    assert set(answer.json()) == set(query)


# --- progress ----------------------------------------------------------------------------------------


async def test_progress_shows_the_callers_markers(ana, connect, get):
    (element,) = (await (await connect(ana)).do("breathing"))["content"]["elements"]
    (marker,) = (await get("/api/progress/", ana)).json()["markers"]
    assert (marker["marker_id"], marker["marker_type"]) == (element["id"], "SKILL_ACQUIRED")
    assert (marker["exercise"], marker["therapeutic_value"]) == ("breathing", element["therapeutic_value"])
    assert marker["description"] == "Completed: 4-7-8 breathing"


async def test_progress_of_another_player_is_not_shown(ana, cleo, connect, get):
    await (await connect(ana)).do("breathing")
    assert (await get("/api/progress/", cleo)).json() == {"markers": []}


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
async def test_progress_can_not_be_written(ana, async_client, token_of, method):
    token = await asyncio.to_thread(token_of, ana)
    call = getattr(async_client, method)
    answer = await call("/api/progress/", {}, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 405


# --- who may -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/messages/", "/api/progress/"])
async def test_own_rows_need_a_token(ana, get, async_client, path):
    assert (await get(path)).status_code == 401
    bad = await async_client.get(path, headers={"Authorization": "Bearer x.y.z"})
    assert (bad.status_code, bad.json()["code"]) == (401, "token_invalid")


async def test_refresh_token_reads_nothing(ana, post, async_client):
    refresh = (await log_in(post)).json()["refresh"]
    answer = await async_client.get("/api/messages/", headers={"Authorization": f"Bearer {refresh}"})
    assert answer.status_code == 401


async def test_inactive_user_reads_nothing(ana, token_of, async_client):
    token = await asyncio.to_thread(token_of, ana)
    ana.is_active = False
    await ana.asave()
    answer = await async_client.get("/api/messages/", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "user_inactive")


@pytest.mark.parametrize("path", ["/api/messages/", "/api/progress/", "/metrics", "/healthz", "/readyz"])
async def test_nothing_of_a_moment_is_cached(ana, get, path):
    assert "no-cache" in (await get(path, ana))["Cache-Control"]


# --- seen from outside -------------------------------------------------------------------------------


async def test_metrics_have_their_names(ana, connect, get):
    await (await connect(ana)).ask("I want to kill myself tonight")
    names = set(re.findall(r"^# TYPE (\S+)", (await get("/metrics")).content.decode(), re.M))
    assert {
        "chat_connections_total",
        "chat_connections_open",
        "chat_messages_in_total",
        "chat_messages_out_total",
        "chat_crisis_detected_total",
        "chat_reply_seconds",
    } <= names


async def metric(get, name: str, **labels: str) -> float:
    label = "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}" if labels else ""
    found = re.search(rf"^{re.escape(name + label)} (\S+)$", (await get("/metrics")).content.decode(), re.M)
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize(
    ("name", "labels", "by"),
    [
        ("chat_connections_total", {}, 1),
        ("chat_connections_open", {}, 1),
        ("chat_messages_in_total", {"type": "user_message"}, 1),
        ("chat_messages_out_total", {"role": "assistant"}, 1),
        ("chat_crisis_detected_total", {"level": "high"}, 1),
        ("chat_reply_seconds_count", {}, 1),
    ],
)
async def test_metrics_count(ana, connect, get, name, labels, by):
    before = await metric(get, name, **labels)
    device = await connect(ana)
    await device.say("I want to kill myself")
    await device.receive()
    await device.send("ping")
    await device.receive()
    assert await metric(get, name, **labels) == before + by


async def test_open_connections_fall_when_one_goes(ana, connect, get):
    before = await metric(get, "chat_connections_open")
    device = await connect(ana)
    await device.close()
    assert await metric(get, "chat_connections_open") == before


async def test_health_is_that_the_process_answers(get):
    answer = await get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready_is_that_the_database_answers(transactional_db, get):
    assert (await get("/readyz")).status_code == 200


async def test_not_ready_without_a_database(transactional_db, get, monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("zanzibar")

    monkeypatch.setattr("django.db.backends.base.base.BaseDatabaseWrapper.cursor", fail)
    answer = await get("/readyz")
    assert answer.status_code == 503
    assert b"zanzibar" not in answer.content


async def test_documents_are_served(get):
    asyncapi = (await get("/api/asyncapi.json")).json()
    assert asyncapi["asyncapi"].startswith("3.")
    assert b"/api/messages/" in (await get("/api/schema/")).content


async def test_page_is_served_under_a_strict_policy(get):
    answer = await get("/")
    policy = answer["Content-Security-Policy"]
    assert answer.status_code == 200
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/", "/api/asyncapi.json"])
async def test_what_is_only_read_can_not_be_posted_to(transactional_db, async_client, path):
    assert (await async_client.post(path)).status_code == 405
