"""Walking an exercise: steps, words and ratings of one run, and what they are worth. Pure: no clock, no database.

Each act gives the next state. `model_dump_json` and `model_validate_json` carry it over reconnects and
processes; it holds all it needs of the exercise, so that a changed catalogue breaks no run under way.
The answers are a player's own words: whoever stores a walk encrypts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from therapy.exercises.catalogue import Exercise

ANSWER_MAX = 2_000

Mood = Annotated[int, Field(ge=0, le=10)]

_LEAST = 0.05
_DONE = 0.5
_TIMELY_SHARE = 0.8
_PER_POINT_BETTER = 0.1
_PER_POINT_WORSE = 0.05
_POINTS_COUNTED = 5


class WalkError(Exception):
    """The walk does not allow the act. `reason`: `over` or `nothing_asked`."""

    def __init__(self, reason: Literal["over", "nothing_asked"]) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one run. Moods: 0 (very bad) to 10 (very good)."""

    seconds_spent: float
    seconds_expected: float
    steps_seen: int
    steps_total: int
    mood_before: int | None = None
    mood_after: int | None = None


def therapeutic_value(evidence: Evidence) -> float:
    """What a completed run is worth, 0.05 to 1 (docs/exercises.md has the rule and a table).

    Effort is the share of the time (four fifths of it count as all) times the share of the steps. A full
    effort is worth 0.5; each point of better mood adds 0.1, each point of worse mood takes 0.05, up to five
    points. All of it is scaled by the effort, so that ratings alone are worth nothing.
    """
    pace = _share(evidence.seconds_spent, evidence.seconds_expected * _TIMELY_SHARE)
    effort = pace * _share(evidence.steps_seen, evidence.steps_total)
    return max(_LEAST, round(effort * (_DONE + _mood_worth(evidence.mood_before, evidence.mood_after)), 3))


def _share(part: float, whole: float) -> float:
    return min(1.0, max(0.0, part / whole)) if whole > 0 else 0.0


def _mood_worth(before: int | None, after: int | None) -> float:
    if before is None or after is None:
        return 0.0
    points = max(-_POINTS_COUNTED, min(_POINTS_COUNTED, after - before))
    return points * (_PER_POINT_BETTER if points > 0 else _PER_POINT_WORSE)


class Walk(BaseModel):
    """`step` is None until single steps are asked for: the first answer has already shown them all."""

    model_config = ConfigDict(frozen=True)
    slug: str
    fields: tuple[str | None, ...] = Field(description="For each step the field it asks for, if it asks.")
    seconds_expected: float
    touched_at: AwareDatetime
    seconds_spent: float = 0.0
    step: int | None = None
    furthest: int | None = None
    answers: dict[str, str] = {}
    mood_before: Mood | None = None
    mood_after: Mood | None = None
    has_all_words: bool = Field(False, description="The last step has its answer: nothing more is asked.")
    status: Literal["under_way", "completed", "stopped"] = "under_way"

    @classmethod
    def begin(cls, exercise: Exercise, at: datetime) -> Self:
        return cls(
            slug=exercise.slug,
            fields=tuple(step.field for step in exercise.steps),
            seconds_expected=exercise.expected_seconds,
            touched_at=at,
        )

    @property
    def asks_for(self) -> str | None:
        """The field that the player's next words would fill."""
        if self.step is None or self.has_all_words or self.status != "under_way":
            return None
        return self.fields[self.step]

    @property
    def is_at_last_step(self) -> bool:
        return self.step == len(self.fields) - 1

    def next(self, at: datetime) -> Self:
        """One step on; at the last one it stays, for an impatient second press."""
        return self._go_to(0 if self.step is None else self.step + 1, at)

    def back(self, at: datetime) -> Self:
        return self._go_to((self.step or 0) - 1, at)

    def answer(self, text: str, at: datetime) -> Self:
        """Keep the player's words (the first 2,000 characters) for the current step, and go one step on."""
        field = self.asks_for
        if field is None:
            raise WalkError("over" if self.status != "under_way" else "nothing_asked")
        kept = self._changed(at, answers={**self.answers, field: text.strip()[:ANSWER_MAX]})
        return kept.next(at)._with(has_all_words=self.is_at_last_step)

    def resume(self, at: datetime) -> Self:
        """Back after a pause, at the step where it was left."""
        return self._under_way()._changed(at, has_all_words=False)

    def rate(self, moment: Literal["before", "after"], mood: int) -> Self:
        """The last rating holds. `after` may come when the walk is over, `before` may not."""
        if moment == "after":
            return self._with(mood_after=mood)
        return self._under_way()._with(mood_before=mood)

    def complete(self, at: datetime) -> Self:
        return self._under_way()._changed(at, status="completed")

    def stop(self, at: datetime) -> Self:
        return self._under_way()._changed(at, status="stopped")

    def evidence(self) -> Evidence:
        return Evidence(
            seconds_spent=self.seconds_spent,
            seconds_expected=self.seconds_expected,
            steps_seen=len(self.fields) if self.furthest is None else self.furthest + 1,
            steps_total=len(self.fields),
            mood_before=self.mood_before,
            mood_after=self.mood_after,
        )

    def _under_way(self) -> Self:
        if self.status != "under_way":
            raise WalkError("over")
        return self

    def _go_to(self, step: int, at: datetime) -> Self:
        step = max(0, min(step, len(self.fields) - 1))
        seen = max(step, self.furthest or 0)
        return self._under_way()._changed(at, step=step, furthest=seen, has_all_words=False)

    def _changed(self, at: datetime, **changes: Any) -> Self:
        # Somebody who left for the night and came back did not practise all night: one pause counts as one whole.
        elapsed = max(0.0, (at - self.touched_at).total_seconds())
        spent = self.seconds_spent + min(elapsed, self.seconds_expected)
        return self._with(**changes, touched_at=max(at, self.touched_at), seconds_spent=spent)

    def _with(self, **changes: Any) -> Self:
        return self.model_validate({**dict(self), **changes})
