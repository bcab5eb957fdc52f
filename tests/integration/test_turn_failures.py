"""What a player sees when something behind the socket fails, and that nothing half-done stays."""

from __future__ import annotations

import asyncio

import pytest
from django.db import DataError, IntegrityError, OperationalError

from therapy import journal
from therapy.journal import JournalFullError, append_turns
from therapy.models import ExerciseRun, Message, ProgressMarker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unthrottled")]


def raising(error: Exception, times: int = 10**9, then=None):
    """A stand-in that raises so many times, and then does what it stands for."""
    left = [times]

    def fail(*args, **kwargs):
        if left[0] > 0:
            left[0] -= 1
            raise error
        return then(*args, **kwargs)

    return fail


@pytest.fixture
def database_is_gone(monkeypatch):
    monkeypatch.setattr("therapy.journal._append_together", raising(OperationalError("gone")))


async def test_turn_whose_effect_fails_stores_nothing(ana, connect, monkeypatch):
    monkeypatch.setattr("therapy.runs.StartRun.apply", raising(RuntimeError()))
    device = await connect(ana)
    await device.press("ex_breathing", id="m1")
    problem = await device.error()
    assert (problem["code"], problem["retry_after_ms"] > 0) == ("internal", True)
    assert not await Message.objects.aexists()
    assert not await ExerciseRun.objects.aexists()


async def test_socket_lives_on_after_a_failed_turn(ana, connect, monkeypatch):
    device = await connect(ana)
    with monkeypatch.context() as patched:
        patched.setattr("therapy.runs.StartRun.apply", raising(RuntimeError()))
        await device.press("ex_breathing", id="m1")
        await device.error()
    await device.press("ex_breathing", id="m1")
    ack, answer = await device.frames(2)
    assert (ack["content"]["duplicate"], answer["metadata"]["seq"]) == (False, 2)


async def test_failed_completion_leaves_the_exercise_under_way(ana, connect, monkeypatch):
    device = await connect(ana)
    await device.press("ex_breathing")
    await device.receive()
    with monkeypatch.context() as patched:
        patched.setattr("therapy.progress.RecordMarker.apply", raising(RuntimeError()))
        await device.press("ex_breathing_complete")
        await device.error()
    assert (await ExerciseRun.objects.aget()).ended_at is None
    await device.press("ex_breathing_complete")
    await device.receive()
    assert await ProgressMarker.objects.acount() == 1


async def test_bad_turn_of_one_player_is_no_matter_to_another(ana, cleo, connect, monkeypatch):
    monkeypatch.setattr("therapy.runs.StartRun.apply", raising(RuntimeError()))
    one, other = await connect(ana), await connect(cleo)
    await one.press("ex_breathing")
    await other.say("Hello there")
    assert (await other.receive())["role"] == "assistant"
    assert (await one.error())["code"] == "internal"


@pytest.mark.usefixtures("database_is_gone")
async def test_database_error_is_retryable(ana, connect):
    device = await connect(ana)
    await device.say("Hello there", id="m1")
    frame = await device.receive_until(event="error")
    assert (frame["content"]["code"], frame["metadata"]["in_reply_to"]) == ("not_stored", "m1")
    assert frame["content"]["retry_after_ms"] > 0


async def test_frame_that_was_not_stored_can_be_sent_again(ana, connect, monkeypatch):
    device = await connect(ana)
    with monkeypatch.context() as patched:
        patched.setattr("therapy.journal._append_together", raising(OperationalError("gone")))
        await device.say("Hello there", id="m1")
        await device.error()
    await device.say("Hello there", id="m1")
    assert (await device.receive())["content"]["duplicate"] is False


async def test_state_that_can_not_be_loaded_is_retryable(ana, connect, monkeypatch):
    monkeypatch.setattr("therapy.sessions.load_state", raising(OperationalError("gone")))
    device = await connect(ana)
    await device.say("Hello there")
    assert (await device.error())["code"] == "not_stored"


async def test_full_journal_is_retryable(ana, connect, monkeypatch):
    monkeypatch.setattr("therapy.journal.Journal.append", raising(JournalFullError()))
    device = await connect(ana)
    await device.say("Hello there")
    problem = await device.error()
    assert (problem["code"], problem["retry_after_ms"] > 0) == ("not_stored", True)


async def test_turn_that_the_database_refuses_is_not_asked_for_again(ana, connect, monkeypatch):
    monkeypatch.setattr("therapy.runs.StartRun.apply", raising(DataError()))
    device = await connect(ana)
    await device.press("ex_breathing")
    problem = await device.error()
    assert problem["code"] == "not_storable"
    assert "retry_after_ms" not in problem


async def test_turn_that_another_process_was_quicker_than_is_decided_anew(ana, connect, monkeypatch):
    quicker = raising(IntegrityError(), times=2, then=journal._append_together)
    monkeypatch.setattr(journal, "_append_together", quicker)
    device = await connect(ana)
    await device.press("ex_breathing")
    assert (await device.receive())["role"] == "interactive"
    assert await ExerciseRun.objects.acount() == 1


async def test_decision_that_fails_is_an_internal_error(ana, connect, monkeypatch):
    monkeypatch.setattr("therapy.processor.decide", raising(KeyError("zanzibar")))
    device = await connect(ana)
    await device.say("Hello there", id="m1")
    frame = await device.receive_until(event="error")
    assert (frame["content"]["code"], frame["metadata"]["in_reply_to"]) == ("internal", "m1")
    assert "zanzibar" not in str(frame)


async def test_frame_that_can_not_be_read_for_our_own_fault_is_an_internal_error(ana, connect, monkeypatch):
    device = await connect(ana)
    with monkeypatch.context() as patched:
        patched.setattr("chat.protocol.parse", raising(KeyError("zanzibar")))
        await device.say("Hello there")
        problem = await device.error()
    assert problem["code"] == "internal"
    assert await device.ask("Are you still there?")


# --- a crisis is answered all the same ---------------------------------------------------------------


async def answer_in_danger(device) -> dict:
    return await device.ask("I want to kill myself tonight", id="m1")


def shows_help(answer) -> bool:
    return any(element["type"] == "resource" for element in answer["content"]["elements"])


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("therapy.journal._append_together", OperationalError("gone")),
        ("therapy.journal.append_turns", MemoryError()),
        ("therapy.journal.Journal.append", JournalFullError()),
        ("therapy.sessions.load_state", OperationalError("gone")),
        ("therapy.sessions.load_state", ValueError("a row that can't be read")),
        ("therapy.crisis.events.NoteCrisis.apply", RuntimeError()),
        ("therapy.processor.decide", RuntimeError()),
    ],
)
async def test_crisis_is_answered_whatever_fails(ana, connect, monkeypatch, target, error):
    monkeypatch.setattr(target, raising(error))
    answer = await answer_in_danger(await connect(ana))
    assert shows_help(answer)
    assert answer["metadata"]["stored"] is False
    assert answer["metadata"]["safety"]["crisis"] is True


async def test_crisis_is_answered_while_the_database_hangs(ana, connect, monkeypatch):
    import threading

    monkeypatch.setattr("therapy.processor.CRISIS_PATIENCE_SECONDS", 0.1)
    release = threading.Event()

    def hang(turns):
        release.wait(10)
        return append_turns(turns)

    monkeypatch.setattr("therapy.journal.append_turns", hang)
    device = await connect(ana)
    try:
        answer = await asyncio.wait_for(answer_in_danger(device), 2)
    finally:
        release.set()
    assert shows_help(answer)
    assert answer["metadata"]["stored"] is False
    assert (await device.receive_until(event="ack"))["metadata"]["client_id"] == "m1"


@pytest.mark.usefixtures("database_is_gone")
async def test_crisis_that_was_not_stored_is_not_acknowledged(ana, connect):
    device = await connect(ana)
    await device.say("I want to kill myself tonight", id="m1")
    assert (await device.receive())["role"] == "assistant"
    assert await device.is_silent()


async def test_crisis_of_an_unknown_session_is_answered(ana, connect):
    device = await connect(ana)
    assert shows_help(await device.ask("I want to kill myself tonight", session_id="gone"))


async def test_throttled_crisis_is_answered(ana, connect, settings):
    settings.CHAT_RATE_LIMIT = "1/minute"
    device = await connect(ana)
    await device.send("ping")
    assert shows_help(await answer_in_danger(device))
