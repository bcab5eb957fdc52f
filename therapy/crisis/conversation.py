"""What a line means after what was said before: an assessment of one line -> the assessment of the turn.

A denial after a disclosure, a question "for a friend" and distress that does not let go raise the level. Signs of
safety and a completed exercise lower it, never below `check_in` while a disclosure is recent. No Django.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from therapy.crisis.assessment import CALM, Assessment, CrisisType, Heard, Level, Reason
from therapy.crisis.rules import CONVERSATION

RECENT: Final = 12  # acts of the player, exercises included
_RISING: Final = 3  # of the last four messages, besides this one
_RISING_WINDOW: Final = 4
_SHORT: Final = 80  # characters: longer texts say more than that the writer is safe

_DENIAL, _SAFETY, _STILL, _FRIEND = (
    re.compile(CONVERSATION[name]) for name in ("denial", "safety", "still", "friend")
)


def weigh(
    line: Assessment, text: str, history: Sequence[Heard], *, about_danger: bool, vouched: bool
) -> Assessment:
    """`text` is normalized; `about_danger`: it speaks of danger, be it somebody else's; `vouched`: by a rule."""
    recent = history[-RECENT:]
    if not vouched and len(text) <= _SHORT and _SAFETY.search(text):
        line = CALM  # the model alone takes words of safety, which speak of danger, for danger
    asks_for_friend = about_danger and _FRIEND.search(text) is not None
    if not any(heard.assessment.level for heard in recent):
        return _at_least(line, Level.CHECK_IN, "asking_for_a_friend") if asks_for_friend else line
    if asks_for_friend:
        return _at_least(line, Level.ELEVATED, "asking_for_a_friend", _types(recent))
    if any(heard.assessment.is_crisis for heard in recent):
        return _after_disclosure(line, text, recent)
    return _rising(line, recent)


def _after_disclosure(line: Assessment, text: str, recent: Sequence[Heard]) -> Assessment:
    if _SAFETY.search(text):
        return _at_least(line, Level.CHECK_IN, "sign_of_safety")
    if recent[-1].exercise_completed:
        return _at_least(line, Level.CHECK_IN, "exercise_completed")
    if _DENIAL.search(text):
        return _at_least(line, Level.ELEVATED, "denial_after_disclosure", _types(recent))
    if recent[-1].assessment.is_crisis and _STILL.search(text):
        return _at_least(line, Level.ELEVATED, "still_in_danger", _types(recent))
    return _at_least(line, Level.CHECK_IN, "recent_disclosure")


def _rising(line: Assessment, recent: Sequence[Heard]) -> Assessment:
    said = [heard for heard in recent if not heard.exercise_completed][-_RISING_WINDOW:]
    low = sum(heard.assessment.level >= Level.CHECK_IN for heard in said)
    if line.level is Level.CHECK_IN and low >= _RISING:
        return _at_least(line, Level.ELEVATED, "rising_distress", ("general_distress",))
    return line


def _types(recent: Sequence[Heard]) -> tuple[CrisisType, ...]:
    """Those of the latest disclosure; general distress where there was only low mood."""
    found = (heard.assessment.types for heard in reversed(recent) if heard.assessment.is_crisis)
    return next(found, ("general_distress",))


def _at_least(line: Assessment, level: Level, reason: str, types: tuple[CrisisType, ...] = ()) -> Assessment:
    if line.level >= level:
        return line
    return replace(line, level=level, types=types, reasons=(*line.reasons, Reason(reason)))
