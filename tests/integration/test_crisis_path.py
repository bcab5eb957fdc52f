"""Somebody in danger is answered, whatever is slow or broken behind the socket; and what was shown is stored."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError

from chat.connections import connections
from therapy import processor as processor_module
from therapy.database import in_database, in_writer
from therapy.journal import JournalFullError
from therapy.messages import UserMessage
from therapy.models import CrisisEvent, Message, PlayerProfile
from therapy.processor import ChatProcessor, Listener
from therapy.replies.base import Draft, ReplyRequest
from therapy.sessions import PlayerState, RefusedError

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unthrottled", "eager")]

DANGER = "I want to kill myself tonight"
PATIENCE_SECONDS = 0.2


@pytest.fixture
async def eager(monkeypatch):
    """What could not be stored is tried again at once; and no more when the test is over."""
    from chat.consumers import processor

    monkeypatch.setattr("therapy.processor.STORE_LATER_SECONDS", (0.05,) * 200)
    yield
    tasks = list(processor()._tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await in_writer(int)
    await asyncio.gather(*(in_database(time.sleep, 0.01) for _ in range(4)))


@pytest.fixture
def impatient(monkeypatch):
    """For what hangs: nobody waits a second for it."""
    monkeypatch.setattr("therapy.processor.CRISIS_PATIENCE_SECONDS", PATIENCE_SECONDS)


def resources(answer) -> list[dict[str, Any]]:
    return [element for element in answer["content"].get("elements", []) if element["type"] == "resource"]


def buttons(answer) -> list[str]:
    return [element["id"] for element in answer["content"].get("elements", []) if element["type"] == "button"]


# --- what can be wrong, until it is over -------------------------------------------------------------


def failing(*args, **kwargs):
    raise RuntimeError("zanzibar")


class Trouble:
    """Calls go through `meet`, which lets them fail or hang until it is over."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self._is_over = threading.Event()

    def over(self) -> None:
        self._is_over.set()

    def meet(self) -> None:
        if self._error is None:
            self._is_over.wait(10)
        elif not self._is_over.is_set():
            raise self._error

    def before(self, work):
        def met(*args, **kwargs):
            self.meet()
            return work(*args, **kwargs)

        return met

    def before_async(self, work):
        async def met(*args, **kwargs):
            self.meet()
            return await work(*args, **kwargs)

        return met


def load_hangs(monkeypatch) -> Trouble:
    from therapy import sessions

    trouble = Trouble()
    monkeypatch.setattr(sessions, "load_state", trouble.before(sessions.load_state))
    return trouble


def load_fails(monkeypatch) -> Trouble:
    from therapy import sessions

    trouble = Trouble(OperationalError("gone"))
    monkeypatch.setattr(sessions, "load_state", trouble.before(sessions.load_state))
    return trouble


def journal_is_full(monkeypatch) -> Trouble:
    from therapy.journal import Journal

    trouble = Trouble(JournalFullError())
    monkeypatch.setattr(Journal, "append", trouble.before_async(Journal.append))
    return trouble


def journal_is_unavailable(monkeypatch) -> Trouble:
    from therapy import journal

    trouble = Trouble(OperationalError("gone"))
    monkeypatch.setattr(journal, "_append_together", trouble.before(journal._append_together))
    return trouble


def journal_hangs(monkeypatch) -> Trouble:
    from therapy import journal

    trouble = Trouble()
    monkeypatch.setattr(journal, "append_turns", trouble.before(journal.append_turns))
    return trouble


def record_can_not_be_written(monkeypatch) -> Trouble:
    from therapy.crisis.events import NoteCrisis

    trouble = Trouble(RuntimeError())
    monkeypatch.setattr(NoteCrisis, "apply", trouble.before(NoteCrisis.apply))
    return trouble


TROUBLES = [
    load_hangs,
    load_fails,
    journal_is_full,
    journal_is_unavailable,
    journal_hangs,
    record_can_not_be_written,
]


@pytest.fixture(params=TROUBLES, ids=lambda begin: begin.__name__)
def trouble(request, monkeypatch, impatient) -> Iterator[Trouble]:
    trouble = request.param(monkeypatch)
    yield trouble
    trouble.over()


async def stored_answer(device) -> dict[str, Any]:
    """The assistant's next answer that stands in the log."""
    while True:
        frame = await device.receive_until(role="assistant")
        if frame["metadata"].get("seq") is not None:
            return frame


# --- answered in any trouble -------------------------------------------------------------------------


async def test_crisis_is_answered_in_any_trouble(ana, connect, trouble):
    device = await connect(ana)
    started = time.monotonic()
    answer = await device.ask(DANGER, id="m1")
    assert time.monotonic() - started < PATIENCE_SECONDS + 1
    assert resources(answer)
    assert answer["metadata"]["stored"] is False
    assert answer["metadata"]["safety"]["crisis"] is True
    assert "suicidal_ideation" in answer["metadata"]["safety"]["types"]


async def test_crisis_is_not_acknowledged_before_it_is_stored(ana, connect, trouble):
    device = await connect(ana)
    await device.ask(DANGER, id="m1")
    assert await device.is_silent()
    assert not await in_database(Message.objects.exists)


async def test_what_was_shown_is_stored_once_the_trouble_is_over(ana, connect, trouble):
    device = await connect(ana)
    shown = await device.ask(DANGER, id="m1")
    trouble.over()
    ack = await device.receive_until(event="ack")
    stored = await stored_answer(device)
    assert (ack["metadata"]["client_id"], ack["content"]["duplicate"]) == ("m1", False)
    assert (stored["id"], stored["content"]) == (shown["id"], shown["content"])
    assert stored["metadata"].get("stored") is not False
    assert await device.is_silent()
    assert await Message.objects.acount() == 2
    event = await CrisisEvent.objects.aget()
    assert event.evidence[0]["resources"] == [resource["id"] for resource in resources(shown)]


async def test_other_device_sees_it_once_it_is_stored(ana, connect, trouble):
    phone, laptop = await connect(ana), await connect(ana)
    shown = await phone.ask(DANGER, id="m1")
    assert await laptop.is_silent()
    trouble.over()
    said, answer = await laptop.frames(2)
    assert (said["role"], said["content"]["text"]) == ("user", DANGER)
    assert (answer["id"], answer["content"]) == (shown["id"], shown["content"])
    assert await laptop.is_silent()


async def test_crisis_sent_again_meanwhile_is_stored_once(ana, connect, trouble):
    device = await connect(ana)
    shown = await device.ask(DANGER, id="m1")
    await device.ask(DANGER, id="m1")
    trouble.over()
    assert (await stored_answer(device))["id"] == shown["id"]
    assert (await device.receive_until(event="ack"))["content"]["duplicate"] is True
    assert await Message.objects.acount() == 2
    assert len((await CrisisEvent.objects.aget()).evidence) == 1


@pytest.mark.usefixtures("impatient")
async def test_crisis_is_answered_behind_a_slow_turn_that_holds_the_lock(ana, connect):
    from chat.consumers import processor

    device = await connect(ana)
    async with processor().sessions.turn(ana.pk):
        shown = await device.ask(DANGER, id="m1")
        assert shown["metadata"]["stored"] is False
        assert await device.is_silent()
    assert (await device.receive_until(event="ack"))["metadata"]["client_id"] == "m1"
    assert (await stored_answer(device))["content"] == shown["content"]


@pytest.mark.usefixtures("impatient")
async def test_crisis_does_not_wait_behind_a_slow_answer_on_its_own_connection(ana, connect, monkeypatch):
    release, decide = asyncio.Event(), processor_module.decide

    async def slow(situation, incoming, draft):
        if "walk" in incoming.content.text:
            await release.wait()
        return await decide(situation, incoming, draft)

    monkeypatch.setattr(processor_module, "decide", slow)
    device = await connect(ana)
    await device.say("I went for a walk", id="m1")
    shown = [await device.ask(DANGER, id="m2"), await device.ask("no", id="m3")]
    assert all(answer["metadata"]["stored"] is False for answer in shown)
    assert [answer["metadata"]["in_reply_to"] for answer in shown] == ["m2", "m3"]
    release.set()
    stored = [await stored_answer(device) for _ in range(3)]
    assert [answer["metadata"]["in_reply_to"] for answer in stored] == ["m1", "m2", "m3"]
    assert [answer["content"] for answer in stored[1:]] == [answer["content"] for answer in shown]


async def test_calm_messages_are_answered_one_after_the_other(ana, connect, monkeypatch):
    running = []
    decide = processor_module.decide

    async def counted(situation, incoming, draft):
        running.append(len([socket for socket in connections if socket._urgent]))
        return await decide(situation, incoming, draft)

    monkeypatch.setattr(processor_module, "decide", counted)
    device = await connect(ana)
    for number in range(4):
        await device.say("I went for a walk", id=str(number))
    answers = [await stored_answer(device) for _ in range(4)]
    assert [answer["metadata"]["in_reply_to"] for answer in answers] == ["0", "1", "2", "3"]
    assert running == [0, 0, 0, 0]


async def test_process_that_drains_waits_for_what_was_urgent(ana, connect):
    from chat.consumers import processor

    device = await connect(ana)
    async with processor().sessions.turn(ana.pk):
        for text in ("I went for a walk", DANGER):
            await device.say(text)
        await asyncio.sleep(0.05)
        (socket,) = connections
        assert socket.is_busy
    for _ in range(2):
        await stored_answer(device)
    await asyncio.sleep(0.05)
    assert not socket.is_busy


@pytest.mark.usefixtures("impatient")
async def test_what_was_decided_before_the_journal_hung_is_what_is_shown(ana, connect, monkeypatch):
    """Decided once: a second answer might be another, by what was read or what has opened meanwhile."""
    await in_database(PlayerProfile.objects.create, pk=ana.pk, country="GB")
    trouble = journal_hangs(monkeypatch)
    monkeypatch.setattr("therapy.processor.answer_danger_whatever_happens", failing)
    device = await connect(ana)
    try:
        shown = await device.ask(DANGER, id="m1")
    finally:
        trouble.over()
    assert "116 123" in [resource["info"] for resource in resources(shown)]
    assert (await stored_answer(device))["content"] == shown["content"]


async def test_several_are_stored_in_the_order_in_which_they_were_said(ana, connect, monkeypatch):
    trouble = journal_is_unavailable(monkeypatch)
    device = await connect(ana)
    said = [DANGER, "I have the pills here", "I am writing my goodbye letter to my family"]
    shown = [await device.ask(text) for text in said]
    trouble.over()
    assert [(await stored_answer(device))["id"] for _ in said] == [answer["id"] for answer in shown]
    assert len({answer["content"]["text"] for answer in shown}) == 3


# --- what goes on after it, while nothing can be stored or read --------------------------------------


async def test_reply_in_a_conversation_about_danger_is_answered_too(ana, connect, trouble):
    device = await connect(ana)
    first = await device.ask(DANGER, id="m1")
    second = await device.ask("no", id="m2")
    assert second["metadata"]["engine"] == "crisis"
    assert second["metadata"]["stored"] is False
    assert second["content"]["text"] != first["content"]["text"]


async def test_same_paragraph_is_not_said_twice_to_somebody_unknown(ana, connect, monkeypatch):
    trouble = load_fails(monkeypatch)
    device = await connect(ana)
    texts = [(await device.ask(DANGER))["content"]["text"] for _ in range(3)]
    trouble.over()
    assert len(set(texts)) == 3


async def test_conversation_about_danger_goes_on_when_the_player_can_be_read_again(ana, connect, monkeypatch):
    trouble = load_fails(monkeypatch)
    monkeypatch.setattr("therapy.processor.STORE_LATER_SECONDS", (5,))
    device = await connect(ana)
    await device.ask(DANGER)
    trouble.over()
    reply = await device.ask("I don't know")
    assert reply["metadata"]["engine"] == "crisis"
    assert reply["metadata"].get("stored") is not False


async def test_other_messages_are_refused_meanwhile_as_ever(ana, cleo, connect, trouble):
    device = await connect(cleo)
    await device.say("Hello there", id="m1")
    if trouble._error is None or isinstance(trouble._error, RuntimeError):
        trouble.over()
        assert (await device.receive_until(event="ack"))["metadata"]["client_id"] == "m1"
    else:
        assert (await device.error())["code"] == "not_stored"


# --- what is itself at fault -------------------------------------------------------------------------


async def test_composer_at_fault_still_shows_words_and_help_and_is_stored(ana, connect, monkeypatch):
    monkeypatch.setattr("therapy.crisis.response.answer", failing)
    device = await connect(ana)
    shown = await device.ask(DANGER, id="m1")
    assert "Please reach one now" in shown["content"]["text"]
    assert resources(shown)[0]["emergency"] is True
    assert shown["metadata"]["safety"]["crisis"] is True
    assert (await stored_answer(device))["content"] == shown["content"]
    assert await CrisisEvent.objects.aexists()


async def test_composer_at_fault_speaks_the_players_language(ana, connect, monkeypatch):
    device = await connect(ana)
    await device.set(language="es")
    monkeypatch.setattr("therapy.crisis.response.answer", failing)
    assert "No soy una persona" in (await device.ask(DANGER))["content"]["text"]


@pytest.mark.parametrize("text", [DANGER, "Hello there"])
async def test_detector_at_fault_is_taken_for_danger(ana, connect, monkeypatch, text):
    monkeypatch.setattr("therapy.personalization.assess", failing)
    answer = await (await connect(ana)).ask(text)
    assert answer["metadata"]["safety"] == {
        "crisis": True,
        "types": ["general_distress"],
        "level": "elevated",
    }
    assert resources(answer)
    event = await CrisisEvent.objects.aget()
    assert [reason["rule"] for reason in event.evidence[0]["reasons"]] == ["detector_failed"]


async def test_detector_at_fault_is_logged_without_its_words(ana, connect, monkeypatch, capfd):
    monkeypatch.setattr("therapy.personalization.assess", failing)
    await (await connect(ana)).ask("Hello there")
    logged = "".join(capfd.readouterr())
    assert '"detector_failed"' in logged
    assert "zanzibar" not in logged


async def test_message_the_detector_fails_on_does_not_lock_its_player_out(
    ana, connect, another_process, monkeypatch
):
    await (await connect(ana)).ask("Hello there")
    another_process()
    monkeypatch.setattr("therapy.sessions.assess", failing)
    answer = await (await connect(ana)).ask("How are you?")
    assert answer["metadata"]["seq"] == 4


async def test_answer_does_not_depend_on_being_counted(ana, connect, monkeypatch):
    from chat.consumers import processor

    monkeypatch.setattr(processor(), "on_crisis", failing)
    assert resources(await (await connect(ana)).ask(DANGER))


# --- refused frames ----------------------------------------------------------------------------------


async def test_throttled_crisis_is_answered_and_refused(ana, connect, settings):
    settings.CHAT_RATE_LIMIT = "1/minute"
    device = await connect(ana)
    await device.send("ping")
    answer = await device.ask(DANGER)
    assert resources(answer)
    assert answer["metadata"]["stored"] is False
    assert (await device.error())["code"] == "rate_limited"


async def test_crisis_before_a_full_inbox_is_answered_and_refused(ana, connect, monkeypatch):
    device = await connect(ana)
    monkeypatch.setattr("chat.consumers.INBOX_MAX", 0)
    assert resources(await device.ask(DANGER, id="m1"))
    assert (await device.error())["code"] == "inbox_full"


async def test_crisis_while_the_process_drains_is_answered_and_refused(ana, connect, monkeypatch):
    device = await connect(ana)
    monkeypatch.setattr(connections, "is_draining", True)
    assert resources(await device.ask(DANGER, id="m1"))
    assert (await device.error())["code"] == "restarting"


async def test_refused_crisis_sent_again_is_stored_and_said_in_other_words(ana, connect, monkeypatch):
    device = await connect(ana)
    with monkeypatch.context() as patched:
        patched.setattr("chat.consumers.INBOX_MAX", 0)
        refused = await device.ask(DANGER, id="m1")
        await device.error()
    stored = await device.ask(DANGER, id="m1")
    assert stored["metadata"]["seq"] == 2
    assert stored["content"]["text"] != refused["content"]["text"]


async def test_refused_frame_without_danger_gets_only_its_error(ana, connect, monkeypatch):
    device = await connect(ana)
    monkeypatch.setattr("chat.consumers.INBOX_MAX", 0)
    await device.say("Hello there", id="m1")
    assert (await device.receive())["content"]["event"] == "error"


async def test_crisis_under_an_unknown_session_is_answered_and_stored_in_the_active_one(ana, connect):
    device = await connect(ana)
    hello = await device.ask("Hello there")
    shown = await device.ask(DANGER, id="m1", session_id="gone")
    assert resources(shown)
    stored = await stored_answer(device)
    assert (stored["id"], stored["content"]) == (shown["id"], shown["content"])
    assert stored["session_id"] == hello["session_id"]
    assert await CrisisEvent.objects.aexists()


async def test_crisis_under_the_id_of_another_frame_is_answered_and_stored(ana, connect):
    device = await connect(ana)
    await device.ask("Hello there", id="m1")
    shown = await device.ask(DANGER, id="m1")
    assert resources(shown)
    assert (await stored_answer(device))["id"] == shown["id"]
    assert await CrisisEvent.objects.aexists()


async def test_other_message_under_an_unknown_session_is_refused(ana, connect):
    device = await connect(ana)
    await device.say("Hello there", id="m1", session_id="gone")
    assert (await device.error())["code"] == "unknown_session"


# --- no engine ---------------------------------------------------------------------------------------


class SpyEngine:
    name = "spy"

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def draft(self, request: ReplyRequest) -> Draft:
        self.asked.append(request.text)
        return Draft("That sounds like a long day. What stayed with you of it?", self.name)


@pytest.fixture
def spy() -> SpyEngine:
    return SpyEngine()


@pytest.fixture
def say(ana, spy):
    """Say something to a processor with the spying engine; the answer."""
    processor = ChatProcessor(engine=spy)

    async def say(text: str):
        (answer,) = await processor.process(
            ana.pk, UserMessage(type="user_message", content={"text": text}), listener=Listener()
        )
        return answer

    return say


async def test_engine_is_asked_in_calm(say, spy):
    await say("I went for a walk")
    assert spy.asked == ["I went for a walk"]


async def test_engine_is_never_asked_in_a_crisis_nor_in_the_turns_after_it(say, spy):
    for text in (DANGER, "no", "I don't know", "why do you care", "what's the weather like"):
        answer = await say(text)
        assert answer.metadata.engine == "crisis", text
        assert answer.metadata.safety is not None
    assert spy.asked == []


async def test_engine_is_asked_again_after_signs_of_safety(say, spy):
    for text in (DANGER, "yes", "I called the line and my sister is here with me, I'm safe now"):
        await say(text)
    assert spy.asked == []
    await say("We are going to cook something now.")
    assert spy.asked == ["We are going to cook something now."]


async def test_engine_is_not_asked_while_the_detector_is_at_fault(say, spy, monkeypatch):
    monkeypatch.setattr("therapy.personalization.assess", failing)
    await say("Hello there")
    assert spy.asked == []


# --- what is shown -----------------------------------------------------------------------------------


async def answer_of(device, text: str = DANGER, **settings: str) -> dict[str, Any]:
    if settings:
        await device.set(**settings)
    return await device.ask(text)


async def test_safety_is_told_with_every_answer(ana, connect):
    device = await connect(ana)
    for text in ("Hello there", DANGER, "no", "I don't know"):
        safety = (await device.ask(text))["metadata"]["safety"]
        assert set(safety) == {"crisis", "types", "level"}


async def test_emergency_number_comes_first_where_danger_is_imminent(ana, connect):
    answer = await answer_of(await connect(ana), "I have the pills here and I am taking them now")
    assert answer["metadata"]["safety"]["level"] == "imminent"
    assert [resource["emergency"] for resource in resources(answer)].index(True) == 0
    assert resources(answer)[0]["info"] == "911"


async def test_emergency_number_comes_last_where_it_is_not(ana, connect):
    answer = await answer_of(await connect(ana), "I keep having a panic attack and I can't breathe")
    assert answer["metadata"]["safety"]["level"] in ("elevated", "high")
    assert [resource["emergency"] for resource in resources(answer)][-1] is True
    assert resources(answer)[0]["emergency"] is False


@pytest.mark.parametrize(("country", "number"), [("IE", "116 123"), ("AU", "13 11 14"), ("FR", "3114")])
async def test_resources_are_those_of_the_players_country(ana, connect, country, number):
    shown = resources(await answer_of(await connect(ana), country=country))
    assert number in [resource["info"] for resource in shown]
    assert {resource["id"].split("_")[1] for resource in shown} == {country.lower()}


async def test_country_without_lines_of_its_own_gets_an_emergency_number_and_a_directory(ana, connect):
    shown = resources(await answer_of(await connect(ana), country="AQ"))
    assert any(resource["emergency"] for resource in shown)
    assert any("findahelpline.com" in resource["link"] for resource in shown)


async def test_answer_is_in_the_players_language(ana, connect):
    answer = await answer_of(await connect(ana), "Quiero matarme esta noche", language="es", country="US")
    assert answer["metadata"]["safety"]["crisis"] is True
    assert "¿" in answer["content"]["text"]


async def test_lines_in_the_players_language_come_first(ana, connect):
    shown = resources(await answer_of(await connect(ana), "I feel suicidal", language="es"))
    assert "es" in _line(shown[0]["id"] if not shown[0]["emergency"] else shown[1]["id"]).languages


def _line(resource_id: str):
    from therapy.crisis.helplines import HELPLINES

    return next(line for line in HELPLINES if line.id == resource_id)


@pytest.mark.parametrize(
    "text", [DANGER, "I keep cutting myself", "panic attack, I can't breathe", "he is hitting me again"]
)
async def test_exercises_of_a_crisis_are_those_meant_for_one_and_stand_below_the_help(ana, connect, text):
    from therapy.exercises.catalogue import in_crisis

    answer = await (await connect(ana)).ask(text)
    assert answer["metadata"]["safety"]["crisis"] is True
    assert buttons(answer)
    assert set(buttons(answer)) <= {f"ex_{exercise.slug}" for exercise in in_crisis()}
    kinds = [element["type"] for element in answer["content"]["elements"]]
    assert kinds == ["resource"] * len(resources(answer)) + ["button"] * len(buttons(answer))


# --- the tasks behind it -----------------------------------------------------------------------------


async def test_what_is_refused_whatever_is_left_out_is_not_tried_for_ever(ana, monkeypatch):
    tried = []

    async def refused(player_id, act):
        tried.append(act.incoming.session_id)
        raise RefusedError("unknown_session", "There is none.", "session_id")

    monkeypatch.setattr("therapy.processor.STORE_LATER_SECONDS", (0, 0, 0))
    processor = ChatProcessor()
    monkeypatch.setattr(processor, "_locked", refused)
    await processor.process(ana.pk, _message(session_id="gone"))
    await asyncio.gather(*processor._tasks)
    assert tried == ["gone", None, None, None]


def _message(**fields: Any) -> UserMessage:
    return UserMessage(type="user_message", content={"text": DANGER}, **fields)


async def test_device_that_fails_to_be_told_is_no_reason_to_store_it_again(ana, monkeypatch):
    trouble = journal_is_unavailable(monkeypatch)
    processor = ChatProcessor()
    told = []

    async def on_stored(answers):
        told.append(answers)
        raise RuntimeError("the socket has gone")

    await processor.process(ana.pk, _message(), listener=Listener(on_stored))
    trouble.over()
    await asyncio.gather(*processor._tasks)
    assert len(told) == 1
    assert await Message.objects.acount() == 2


async def test_crisis_is_counted_once_though_it_is_answered_before_it_is_stored(ana, monkeypatch):
    trouble = journal_is_unavailable(monkeypatch)
    counted = []
    processor = ChatProcessor(on_crisis=counted.append)
    await processor.process(ana.pk, _message())
    trouble.over()
    await asyncio.gather(*processor._tasks)
    assert len(counted) == 1


async def test_what_was_kept_of_somebody_unknown_is_dropped_once_they_are_known(ana, monkeypatch):
    trouble = load_fails(monkeypatch)
    processor = ChatProcessor()
    await processor.process(ana.pk, _message())
    assert isinstance(processor._unread[ana.pk], PlayerState)
    trouble.over()
    await asyncio.gather(*processor._tasks)
    assert processor._unread == {}
