"""What the socket answers at once: welcome, pings, errors, limits, renewed tokens."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.frames import MALFORMED, padded_to
from therapy.database import in_database

pytestmark = pytest.mark.django_db(transaction=True)


# --- welcome -----------------------------------------------------------------------------------------


async def test_first_frame_is_the_welcome(ana, connect):
    welcome = (await connect(ana)).welcome
    assert (welcome["role"], welcome["content"]["event"]) == ("system", "welcome")
    assert welcome["content"]["text"] == "Connected to therapeutic chat. You're safe here."


async def test_welcome_tells_protocol_head_heartbeat_and_limits(ana, connect):
    metadata = (await connect(ana)).welcome["metadata"]
    assert (metadata["protocol"], metadata["seq"]) == ("chat.v1", 0)
    assert metadata["heartbeat_seconds"] > 0
    assert metadata["limits"] == {"frame_bytes": 65536, "text_characters": 10_000, "rate": "10/2second"}


async def test_welcome_tells_when_the_token_ends(ana, connect):
    ends_at = datetime.fromisoformat((await connect(ana)).welcome["metadata"]["token_expires_at"])
    assert timedelta(minutes=9) < ends_at - datetime.now(UTC) <= timedelta(minutes=10)


async def test_welcome_tells_the_newest_seq(ana, connect):
    first = await connect(ana)
    await first.ask("Hello there")
    assert (await connect(ana)).welcome["metadata"]["seq"] == 2


# --- pings -------------------------------------------------------------------------------------------


async def test_ping_gets_a_pong_that_names_it(ana, connect):
    device = await connect(ana)
    await device.send("ping", id="p1")
    pong = await device.receive()
    assert (pong["type"], pong["content"]["event"], pong["metadata"]["in_reply_to"]) == ("pong", "pong", "p1")


async def test_pong_does_not_wait_for_a_slow_turn(ana, connect, monkeypatch):
    release = asyncio.Event()

    async def slow(*args, **kwargs):
        await release.wait()

    monkeypatch.setattr("therapy.processor.decide", slow)
    device = await connect(ana)
    await device.say("Take your time.")
    await device.send("ping")
    assert (await device.receive())["type"] == "pong"
    release.set()


# --- what is wrong with a frame ----------------------------------------------------------------------


@pytest.mark.usefixtures("unthrottled")
async def test_malformed_frames_are_answered_each_and_the_socket_lives_on(ana, connect):
    device = await connect(ana)
    for case in MALFORMED:
        raw, code, field = case.values
        await device.send("", raw=raw)
        problem = await device.error()
        assert (problem["code"], problem.get("field"), case.id) == (code, field, case.id)
        assert problem["text"].endswith(".")
    assert await device.ask("Are you still there?")


async def test_binary_frame_is_answered_and_the_socket_lives_on(ana, connect):
    device = await connect(ana)
    await device.communicator.send_to(bytes_data=b'{"type": "ping"}')
    assert (await device.error())["code"] == "binary_frame"
    assert await device.ask("Are you still there?")


async def test_frame_of_64_kib_is_taken(ana, connect):
    device = await connect(ana)
    await device.send("", raw=padded_to(65536))
    assert (await device.receive())["type"] == "pong"


async def test_error_names_the_frame_it_answers(ana, connect):
    device = await connect(ana)
    await device.send("user_message", id="m1")
    assert (await device.receive_until(event="error"))["metadata"]["in_reply_to"] == "m1"


async def test_malformed_frame_leaves_no_trace_in_the_log(ana, connect):
    device = await connect(ana)
    await device.send("user_message", id="m1", content={"text": ""})
    await device.error()
    assert (await device.ask("Hello there"))["metadata"]["seq"] == 2


@pytest.mark.parametrize(
    ("element", "code"),
    [
        ("ex_juggling", "unknown_element"),
        ("breathing", "unknown_element"),
        ("ex_", "unknown_element"),
        ("ex_breathing_complete_complete", "unknown_element"),
        ("ex_breathing_complete", "exercise_not_started"),
        ("ex_breathing_stop", "exercise_not_started"),
    ],
)
async def test_pressing_what_is_not_there_is_answered_and_the_socket_lives_on(ana, connect, element, code):
    device = await connect(ana)
    await device.press(element, id="m1")
    problem = await device.error()
    assert (problem["code"], problem["field"]) == (code, "content.id")
    assert await device.ask("Are you still there?")


async def test_feedback_about_an_unknown_exercise_is_refused(ana, connect):
    device = await connect(ana)
    await device.rate(5, about="ex_juggling")
    problem = await device.error()
    assert (problem["code"], problem["field"]) == ("unknown_element", "content.about")


# --- limits ------------------------------------------------------------------------------------------


async def test_eleventh_frame_within_two_seconds_is_throttled(ana, connect):
    device = await connect(ana)
    for _ in range(11):
        await device.send("ping")
    pongs = await device.frames(10)
    problem = await device.error()
    assert {pong["type"] for pong in pongs} == {"pong"}
    assert problem["code"] == "rate_limited"
    assert 0 < problem["retry_after_ms"] <= 2001


async def test_throttled_socket_serves_again_after_the_wait_it_was_told(ana, connect, settings):
    settings.CHAT_RATE_LIMIT = "1/second"
    device = await connect(ana)
    await device.send("ping")
    await device.send("ping")
    wait_ms = (await device.frames(2))[1]["content"]["retry_after_ms"]
    await asyncio.sleep(wait_ms / 1000)
    await device.send("ping")
    assert (await device.receive())["type"] == "pong"


async def test_throttled_frame_is_not_processed(ana, connect, settings):
    settings.CHAT_RATE_LIMIT = "1/minute"
    device = await connect(ana)
    await device.ask("Hello there")
    await device.say("And one more", id="m2")
    await device.error()
    assert (await connect(ana)).welcome["metadata"]["seq"] == 2


async def test_throttling_is_per_connection(ana, connect, settings):
    settings.CHAT_RATE_LIMIT = "1/minute"
    first, second = await connect(ana), await connect(ana)
    await first.send("ping")
    await second.send("ping")
    assert (await second.receive())["type"] == "pong"


async def test_malformed_frames_count_as_well(ana, connect, settings):
    settings.CHAT_RATE_LIMIT = "1/minute"
    device = await connect(ana)
    await device.send("", raw="{")
    await device.send("ping")
    assert [frame["content"]["code"] for frame in await device.frames(2)] == [
        "malformed_json",
        "rate_limited",
    ]


async def test_frames_beyond_a_full_inbox_are_refused_not_dropped(ana, connect, unthrottled, monkeypatch):
    release = asyncio.Event()

    async def slow(*args, **kwargs):
        await release.wait()
        raise RuntimeError

    monkeypatch.setattr("chat.consumers.INBOX_MAX", 2)
    monkeypatch.setattr("therapy.processor.decide", slow)
    device = await connect(ana)
    for n in range(4):
        await device.say("Hello there", id=f"m{n}")
        await asyncio.sleep(0)
    refused = await device.receive_until(event="error")
    assert refused["content"]["code"] == "inbox_full"
    assert refused["content"]["retry_after_ms"] > 0
    release.set()


# --- renewed tokens ----------------------------------------------------------------------------------


async def test_fresh_token_of_the_same_player_renews_the_socket(ana, connect, token_of):
    device = await connect(ana)
    fresh = await in_database(token_of, ana, lifetime=timedelta(minutes=30))
    await device.send("authenticate", id="a1", content={"token": fresh})
    answer = await device.receive_until(event="authenticated")
    ends_at = datetime.fromisoformat(answer["content"]["token_expires_at"])
    assert ends_at - datetime.now(UTC) > timedelta(minutes=29)
    assert answer["metadata"]["in_reply_to"] == "a1"


async def test_token_of_another_player_is_refused(ana, cleo, connect, token_of):
    device = await connect(ana)
    await device.send("authenticate", content={"token": await in_database(token_of, cleo)})
    problem = await device.error()
    assert (problem["code"], problem["field"]) == ("token_of_another", "content.token")


async def test_socket_stays_its_players_after_another_token_was_refused(ana, cleo, connect, token_of):
    device = await connect(ana)
    await device.send("authenticate", content={"token": await in_database(token_of, cleo)})
    await device.error()
    await device.ask("Hello there")
    assert (await connect(cleo)).welcome["metadata"]["seq"] == 0


@pytest.mark.parametrize("kind", ["garbage", "expired"])
async def test_bad_token_renews_nothing_and_the_socket_lives_on(ana, connect, token_of, kind):
    device = await connect(ana)
    expired = await in_database(token_of, ana, lifetime=timedelta(seconds=-1))
    await device.send("authenticate", id="a1", content={"token": expired if kind == "expired" else "x.y.z"})
    assert (await device.error())["code"] == ("token_expired" if kind == "expired" else "token_invalid")
    assert await device.ask("Are you still there?")


# --- typing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("yes", ["1", "true", "yes", "TRUE"])
async def test_typing_is_told_before_and_after_an_answer(ana, connect, yes):
    device = await connect(ana, typing=yes)
    await device.say("Hello there", id="m1")
    frames = await device.frames(4)
    told = [
        frame["content"].get("status") or frame["content"].get("event") or frame["role"] for frame in frames
    ]
    assert told == ["start", "ack", "assistant", "stop"]
    assert frames[0]["metadata"]["in_reply_to"] == "m1"


@pytest.mark.parametrize("options", [{}, {"typing": "0"}, {"typing": "maybe"}])
async def test_typing_is_not_told_unless_asked_for(ana, connect, options):
    device = await connect(ana, **options)
    await device.say("Hello there")
    assert (await device.receive())["role"] == "assistant"


async def test_typing_stops_when_a_turn_fails(ana, connect, monkeypatch):
    async def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("therapy.processor.decide", fail)
    device = await connect(ana, typing=1)
    await device.say("Hello there")
    events = [frame["content"].get("status") or frame["content"]["event"] for frame in await device.frames(3)]
    assert events == ["start", "stop", "error"]


async def test_pressing_a_button_is_answered_without_typing(ana, connect):
    device = await connect(ana, typing=1)
    await device.press("ex_breathing")
    assert (await device.receive())["role"] == "interactive"
