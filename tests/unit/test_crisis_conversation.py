"""What was said before changes what a line means."""

from __future__ import annotations

import pytest

from therapy.crisis.assessment import CALM, Assessment, Heard, Level
from therapy.crisis.detector import assess

DISCLOSURE = Heard("I want to kill myself", Assessment(Level.HIGH, ("suicidal_ideation",)))
LOW = Heard("I feel so lonely", Assessment(Level.CHECK_IN))
SMALL_TALK = Heard("hello", CALM)
EXERCISE = Heard(exercise_completed=True)


@pytest.mark.parametrize(
    "text",
    ["never mind, I was joking", "forget what I said", "I'm fine really", "haha jk", "era broma, estoy bien"],
)
def test_denial_after_disclosure_stays_a_crisis(text: str) -> None:
    assert assess(text, [DISCLOSURE]).level is Level.ELEVATED


def test_denial_keeps_the_disclosed_types() -> None:
    assert assess("never mind", [DISCLOSURE]).types == ("suicidal_ideation",)


def test_denial_without_disclosure_is_nothing() -> None:
    assert not assess("never mind", [SMALL_TALK]).is_crisis


def test_no_to_a_question_about_safety_stays_a_crisis() -> None:
    assert assess("no, not really", [DISCLOSURE]).is_crisis


@pytest.mark.parametrize(
    "text", ["I'm safe now", "no, I'm safe", "I called my sister and I feel a bit better now"]
)
def test_safety_lowers_no_further_than_check_in(text: str) -> None:
    assert assess(text, [DISCLOSURE]).level is Level.CHECK_IN


def test_completed_exercise_lowers_no_further_than_check_in() -> None:
    assert assess("never mind", [DISCLOSURE]).level is Level.ELEVATED
    assert assess("never mind", [DISCLOSURE, EXERCISE]).level is Level.CHECK_IN


def test_old_disclosure_no_longer_weighs() -> None:
    assert assess("let's go north", [DISCLOSURE, *[SMALL_TALK] * 12]) == CALM


def test_asking_for_a_friend_alone_asks_gently() -> None:
    text = "asking for a friend, what would you say to somebody who wants to kill himself"
    assert assess(text).level >= Level.CHECK_IN


def test_asking_for_a_friend_after_low_mood_is_a_crisis() -> None:
    text = "asking for a friend, what would you say to somebody who wants to kill himself"
    assert assess(text, [LOW]).is_crisis


def test_distress_that_does_not_let_go_becomes_a_crisis() -> None:
    text = "I've been feeling really down lately"
    assert assess(text, [LOW]).level is Level.CHECK_IN
    assert assess(text, [LOW, LOW, LOW]).is_crisis


def test_calm_history_changes_nothing() -> None:
    assert assess("I attack the goblin", [SMALL_TALK] * 5) == CALM


def test_crisis_is_never_lowered_by_history() -> None:
    text = "I'm safe now but I still want to kill myself"
    assert assess(text, [DISCLOSURE, EXERCISE]).is_crisis
