"""The verdict of the crisis detector. No Django, no input or output."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, get_args

CrisisType = Literal[
    "suicidal_ideation",
    "self_harm",
    "panic_attack",
    "severe_depression",
    "trauma_response",
    "substance_abuse",
    "abuse",
    "general_distress",
]
CRISIS_TYPES: tuple[CrisisType, ...] = get_args(CrisisType)


class Level(IntEnum):
    """How near the danger is; ordered, so that levels can be compared. On the wire: its name in lower case."""

    NONE = 0
    CHECK_IN = 1  # low mood or ambiguous words: a gentle question, no alarm
    ELEVATED = 2
    HIGH = 3
    IMMINENT = 4  # plan, means, time, or an act under way

    @property
    def label(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Reason:
    """What was found: a rule's name, or a model feature that weighed; offsets into the text, never the text itself."""

    rule: str
    start: int = 0
    end: int = 0
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Assessment:
    level: Level = Level.NONE
    types: tuple[CrisisType, ...] = ()
    reasons: tuple[Reason, ...] = ()

    @property
    def is_crisis(self) -> bool:
        return self.level >= Level.ELEVATED


CALM = Assessment()


@dataclass(frozen=True, slots=True)
class Heard:
    """An earlier act of the same player, oldest first in a history: what was said and how it was assessed.

    `exercise_completed` marks an act that was no message but a completed exercise.
    """

    text: str = ""
    assessment: Assessment = CALM
    exercise_completed: bool = False
