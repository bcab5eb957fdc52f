"""The page's parts that need no page: place in the log, outbox, time of an exercise, reconnecting."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.journeys.served import Served

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def run(browser: Browser, served: Served) -> Iterator[Callable[[str, str], Any]]:
    """Run the body of a function in the browser, with one of the page's modules as `it`."""
    page = browser.new_page()
    page.goto(f"{served.url}/healthz")

    def run(module: str, body: str) -> Any:
        page.evaluate("sessionStorage.clear()")
        return page.evaluate(f"async () => {{ const it = await import('/static/chat/{module}.js'); {body} }}")

    yield run
    page.close()


# --- cursor ----------------------------------------------------------------------------------------


def test_cursor_never_passes_a_gap(run: Callable[[str, str], Any]) -> None:
    body = "const c = new it.Cursor(); [1, 2, 5].forEach((seq) => c.add(seq)); const before = c.value; c.add(4); c.add(3); return [before, c.value];"
    assert run("cursor", body) == [2, 5]


def test_cursor_tells_what_was_seen(run: Callable[[str, str], Any]) -> None:
    body = "const c = new it.Cursor(); return [c.add(1), c.add(1), c.add(3), c.add(3)];"
    assert run("cursor", body) == [True, False, True, False]


def test_cursor_does_not_go_back_when_older_messages_are_asked_for(run: Callable[[str, str], Any]) -> None:
    body = "const c = new it.Cursor(); c.beginAfter(200); c.add(201); c.beginAfter(0); return [c.first, c.value];"
    assert run("cursor", body) == [0, 201]


# --- outbox ----------------------------------------------------------------------------------------


def test_outbox_keeps_order_and_ids_over_a_reload(run: Callable[[str, str], Any]) -> None:
    body = """
        const first = new it.Outbox("7"); const ids = ["a", "b"].map((text) => first.add({ content: { text } }, { text }).id);
        first.take();
        const again = new it.Outbox("7");
        return [again.entries.map((entry) => entry.id).join() === ids.join(), again.unsent];"""
    assert run("outbox", body) == [True, 2]


def test_outbox_of_one_player_is_not_sent_as_another(run: Callable[[str, str], Any]) -> None:
    body = 'new it.Outbox("7").add({}, {}); return new it.Outbox("8").entries.length;'
    assert run("outbox", body) == 0


def test_after_an_interruption_messages_go_one_by_one(run: Callable[[str, str], Any]) -> None:
    body = """
        const box = new it.Outbox("7"); for (const text of "abcde") box.add({ text }, {});
        const live = box.take().length; box.interrupted();
        return [live, box.take().length, box.take().length];"""
    assert run("outbox", body) == [3, 1, 0]


def test_confirmed_message_leaves_no_trace_on_the_device(run: Callable[[str, str], Any]) -> None:
    body = 'const box = new it.Outbox("7"); box.settle(box.add({}, {}).id); return sessionStorage.length;'
    assert run("outbox", body) == 0


# --- pacer -----------------------------------------------------------------------------------------

BREATHING = """{ cycles: 2, steps: [
    { text: "Breathe in quietly through your nose.", seconds: 4 },
    { text: "Hold your breath, with loose shoulders.", seconds: 7 },
    { text: "Breathe out slowly through your mouth.", seconds: 8 }] }"""


def test_pacer_walks_all_steps_of_all_cycles(run: Callable[[str, str], Any]) -> None:
    body = f"""
        let now = 0; const seen = [];
        const pacer = new it.Pacer(it.timetable({BREATHING}), {{ now: () => now, onStep: (s) => seen.push(s.motion), onEnd: () => seen.push("end") }});
        pacer.start(); while (pacer.state === "running") {{ now += 100; pacer.tick(); }}
        return [now, seen.join(" ")];"""
    assert run("pacer", body) == [38_000, "inhale hold exhale inhale hold exhale end"]


def test_pacer_loses_no_time_when_the_page_slept(run: Callable[[str, str], Any]) -> None:
    body = f"""
        let now = 0; const pacer = new it.Pacer(it.timetable({BREATHING}), {{ now: () => now, onStep() {{}}, onEnd() {{}} }});
        pacer.start(); now = 20_500; pacer.tick(); return [pacer.current.cycle, pacer.current.motion, pacer.secondsLeft];"""
    assert run("pacer", body) == [2, "inhale", 3]


def test_paused_pacer_does_not_count(run: Callable[[str, str], Any]) -> None:
    body = f"""
        let now = 0; const pacer = new it.Pacer(it.timetable({BREATHING}), {{ now: () => now, onStep() {{}}, onEnd() {{}} }});
        pacer.start(); now = 1000; pacer.pause(); now = 60_000; pacer.proceed(); now = 61_000; pacer.tick(); return pacer.secondsLeft;"""
    assert run("pacer", body) == 2


def test_second_sip_of_air_still_finds_room(run: Callable[[str, str], Any]) -> None:
    steps = '[{ text: "Breathe in through your nose.", seconds: 3 }, { text: "Take one more small sip of air.", seconds: 1 }, { text: "Sigh it all out.", seconds: 6 }]'
    assert run("pacer", f"return it.timetable({{ steps: {steps} }}).map((step) => step.size);") == [
        0.85,
        1,
        0.5,
    ]


@pytest.mark.parametrize("slug", ["breathing", "box_breathing", "resonance_breathing", "cyclic_sighing"])
@pytest.mark.parametrize("language", ["en", "es"])
def test_every_breathing_exercise_is_drawn_as_breath(
    run: Callable[[str, str], Any], slug: str, language: str
) -> None:
    from therapy.exercises.catalogue import CATALOGUE

    exercise = CATALOGUE[slug].localized(language)  # type: ignore[arg-type]
    steps = json.dumps([{"text": step.text, "seconds": step.seconds} for step in exercise.steps])
    motions = run("pacer", f"return it.timetable({{ steps: {steps} }}).map((step) => step.motion);")
    assert {"inhale", "exhale"} <= set(motions)
    assert "still" not in motions


# --- reconnecting ----------------------------------------------------------------------------------


def test_waits_grow_scatter_and_are_bounded(run: Callable[[str, str], Any]) -> None:
    body = (
        "return [0, 1, 4, 20].map((attempt) => [it.backoff(attempt, () => 0), it.backoff(attempt, () => 1)]);"
    )
    assert run("socket", body) == [[150, 500], [300, 1000], [2400, 8000], [9000, 30_000]]


@pytest.mark.parametrize(
    ("code", "reason", "what"),
    [
        (1006, "", "retry"),
        (1012, "restart", "retry"),
        (1013, "slow_reader", "retry"),
        (1008, "token_expired", "renew"),
        (1008, "token_revoked", "renew"),
        (1008, "idle", "pause"),
        (1008, "too_many_connections", "refuse"),
        (1008, "user_inactive", "end"),
    ],
)
def test_each_close_has_its_consequence(
    run: Callable[[str, str], Any], code: int, reason: str, what: str
) -> None:
    assert run("socket", f"return it.afterClose({code}, {reason!r});") == what


# --- languages -------------------------------------------------------------------------------------


def test_both_languages_have_every_sentence(run: Callable[[str, str], Any]) -> None:
    body = "const { en, es } = it.DICTIONARIES; return [Object.keys(en), Object.keys(es)];"
    english, spanish = run("strings", body)
    assert english == spanish
