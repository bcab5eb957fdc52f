"""The way of a draft: deadline, attempts, breaker, screen, and the embedded engine within the same turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from therapy.replies import relay
from therapy.replies.base import Draft, EngineError, ReplyRequest
from therapy.replies.breaker import FAILURES, LONGEST_PAUSE_SECONDS, PAUSE_SECONDS, Breaker
from therapy.replies.embedded import EmbeddedEngine
from therapy.replies.relay import Answerer, Outcome

EMBEDDED = EmbeddedEngine()
REQUEST = ReplyRequest("My sister and I fought again.")
SAFE = "You two keep ending up there. What was it about, underneath?"


class Script:
    """An engine that does what it is told, one step per call: text to give, or an exception to raise."""

    name = "script"

    def __init__(self, *steps: str | Exception, delay: float = 0.0) -> None:
        self.steps, self.delay, self.calls = list(steps), delay, 0

    async def draft(self, request: ReplyRequest) -> Draft:
        self.calls += 1
        await asyncio.sleep(self.delay)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return Draft(step, self.name)


class StreamScript(Script):
    async def stream(self, request: ReplyRequest) -> AsyncIterator[str]:
        self.calls += 1
        for step in self.steps:
            await asyncio.sleep(self.delay)
            if isinstance(step, Exception):
                raise step
            yield step


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "RETRY_AFTER_SECONDS", 0.0)


def answerer(engine: Script, *, deadline: float = 1.0, clock: Callable[[], float] | None = None) -> Answerer:
    heard: list[Outcome] = []
    made = Answerer(
        engine,
        EMBEDDED,
        allowed_contacts=frozenset({"988"}),
        deadline_seconds=deadline,
        on_outcome=heard.append,
        breaker=Breaker(clock=clock) if clock else None,
    )
    made.heard = heard  # type: ignore[attr-defined]
    return made


def kinds(made: Answerer) -> list[tuple[str, str]]:
    return [(outcome.kind, outcome.detail) for outcome in made.heard]  # type: ignore[attr-defined]


async def test_good_draft_is_given_with_its_engine_named() -> None:
    made = answerer(Script(SAFE))
    draft = await made.answer(REQUEST)
    assert (draft.text, draft.engine) == (SAFE, "script")
    assert kinds(made) == [("answered", "")]


async def test_embedded_engine_alone_is_asked_directly() -> None:
    heard: list[Outcome] = []
    draft = await Answerer(EMBEDDED, EMBEDDED, on_outcome=heard.append).answer(REQUEST)
    assert draft == EMBEDDED.reply(REQUEST)
    assert heard == []


async def test_passing_failure_is_tried_once_more() -> None:
    engine = Script(EngineError("status_503"), SAFE)
    assert (await answerer(engine).answer(REQUEST)).text == SAFE
    assert engine.calls == 2


async def test_two_failures_end_in_the_embedded_engine() -> None:
    engine = Script(EngineError("status_503"))
    made = answerer(engine)
    assert (await made.answer(REQUEST)).engine == "embedded"
    assert engine.calls == 2
    assert kinds(made) == [("failed", "status_503")]


async def test_permanent_failure_is_not_tried_again() -> None:
    engine = Script(EngineError("status_401", permanent=True))
    assert (await answerer(engine).answer(REQUEST)).engine == "embedded"
    assert engine.calls == 1


async def test_unexpected_exception_is_told_by_class_and_never_by_message() -> None:
    made = answerer(Script(RuntimeError("my sister and I")))
    assert (await made.answer(REQUEST)).engine == "embedded"
    assert kinds(made) == [("failed", "RuntimeError")]


async def test_late_engine_is_replaced_at_the_deadline() -> None:
    made = answerer(Script(SAFE, delay=5), deadline=0.05)
    async with asyncio.timeout(1):
        assert (await made.answer(REQUEST)).engine == "embedded"
    assert kinds(made) == [("late", "")]


async def test_late_turns_count_as_failures() -> None:
    engine = Script(SAFE, delay=1)
    made = answerer(engine, deadline=0.01, clock=lambda: 0.0)
    for _ in range(FAILURES + 1):
        await made.answer(REQUEST)
    assert kinds(made)[-1] == ("paused", "")


async def test_deadline_covers_both_attempts() -> None:
    engine = Script(EngineError("slow and bad"), delay=0.06)
    made = answerer(engine, deadline=0.1)
    await made.answer(REQUEST)
    assert kinds(made) == [("late", "")]


async def test_unsafe_draft_is_replaced_and_counted_by_rule() -> None:
    made = answerer(Script("You have depression."))
    draft = await made.answer(REQUEST)
    assert draft.engine == "embedded"
    assert kinds(made) == [("screened", "diagnosis")]


async def test_unsafe_draft_is_not_asked_for_again() -> None:
    engine = Script("You have depression.", SAFE)
    await answerer(engine).answer(REQUEST)
    assert engine.calls == 1


async def test_cancelled_turn_stays_cancelled() -> None:
    task = asyncio.create_task(answerer(Script(SAFE, delay=5)).answer(REQUEST))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_anxious_words_get_their_buttons_beside_a_model_draft() -> None:
    draft = await answerer(Script(SAFE)).answer(ReplyRequest("I'm so anxious about my sister"))
    assert draft.offers == ("breathing", "grounding")


async def test_engine_is_left_alone_after_five_failed_turns_and_probed_later() -> None:
    now = [0.0]
    engine = Script(EngineError("status_500"))
    made = answerer(engine, clock=lambda: now[0])
    for _ in range(FAILURES):
        await made.answer(REQUEST)
    asked = engine.calls
    assert (await made.answer(REQUEST)).engine == "embedded"
    assert (engine.calls, kinds(made)[-1]) == (asked, ("paused", ""))
    now[0] += PAUSE_SECONDS
    engine.steps = [SAFE]
    assert (await made.answer(REQUEST)).engine == "script"
    assert (await made.answer(REQUEST)).engine == "script"


# --- the breaker by itself --------------------------------------------------------------------------


def test_failed_probe_doubles_the_pause_up_to_five_minutes() -> None:
    now = [0.0]
    breaker = Breaker(clock=lambda: now[0])
    for _ in range(FAILURES):
        breaker.failed()
    pauses = []
    for _ in range(6):
        start = now[0]
        while not breaker.may_pass():
            now[0] += 1
        pauses.append(now[0] - start)
        breaker.failed()
    assert pauses == [30, 60, 120, 240, 300, 300]


def test_only_one_probe_passes_while_its_outcome_is_open() -> None:
    now = [0.0]
    breaker = Breaker(clock=lambda: now[0])
    for _ in range(FAILURES):
        breaker.failed()
    now[0] = PAUSE_SECONDS
    assert [breaker.may_pass(), breaker.may_pass()] == [True, False]


def test_success_in_between_forgets_failures() -> None:
    breaker = Breaker(clock=lambda: 0.0)
    for _ in range(3):
        for _ in range(FAILURES - 1):
            breaker.failed()
            assert breaker.may_pass()
        breaker.succeeded()


def test_permanent_failure_opens_at_once_for_the_longest_pause() -> None:
    now = [0.0]
    breaker = Breaker(clock=lambda: now[0])
    breaker.failed(permanent=True)
    now[0] = LONGEST_PAUSE_SECONDS - 1
    assert not breaker.may_pass()
    now[0] += 1
    assert breaker.may_pass()


# --- streaming --------------------------------------------------------------------------------------


class Screen:
    """What a client saw."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.voids = 0

    async def delta(self, piece: str) -> None:
        self.pieces.append(piece)

    async def void(self) -> None:
        self.voids += 1


async def test_stream_gives_whole_sentences_that_add_up_to_the_draft() -> None:
    shown = Screen()
    engine = StreamScript("You two keep ", "ending up there. Wh", "at was it about", ", underneath?")
    draft = await answerer(engine).stream(REQUEST, shown.delta, shown.void)
    assert shown.pieces == ["You two keep ending up there. ", "What was it about, underneath?"]
    assert draft.text == SAFE
    assert shown.voids == 0


async def test_unsafe_sentence_never_leaves() -> None:
    shown = Screen()
    engine = StreamScript("That is hard. ", "You have ", "depression. And more.")
    made = answerer(engine)
    draft = await made.stream(REQUEST, shown.delta, shown.void)
    assert "".join(shown.pieces) == "That is hard. "
    assert (draft.engine, shown.voids) == ("embedded", 1)
    assert kinds(made) == [("screened", "diagnosis")]


async def test_contact_split_over_pieces_never_leaves() -> None:
    shown = Screen()
    draft = await answerer(StreamScript("Call 55", "5-12", "3-4567 now.")).stream(
        REQUEST, shown.delta, shown.void
    )
    assert (shown.pieces, shown.voids, draft.engine) == ([], 0, "embedded")


async def test_broken_stream_is_void_and_not_repeated_over_shown_text() -> None:
    shown = Screen()
    engine = StreamScript("That is hard. ", EngineError("cut_off"))
    draft = await answerer(engine).stream(REQUEST, shown.delta, shown.void)
    assert (engine.calls, shown.voids, draft.engine) == (1, 1, "embedded")


async def test_stream_that_breaks_before_a_sentence_is_tried_again() -> None:
    shown = Screen()
    engine = StreamScript("That", EngineError("cut_off"))
    await answerer(engine).stream(REQUEST, shown.delta, shown.void)
    assert (engine.calls, shown.pieces) == (2, [])


async def test_slow_stream_is_void_at_the_deadline() -> None:
    shown = Screen()
    engine = StreamScript("One. ", "Two. ", "Three. ", delay=0.04)
    draft = await answerer(engine, deadline=0.1).stream(REQUEST, shown.delta, shown.void)
    assert (draft.engine, shown.voids) == ("embedded", 1)


async def test_engine_without_stream_answers_whole() -> None:
    shown = Screen()
    assert (await answerer(Script(SAFE)).stream(REQUEST, shown.delta)).text == SAFE
    assert shown.pieces == []
