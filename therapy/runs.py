"""Runs of exercises: how they are kept between acts, and the effects that start, walk, end and rate them.

A run's row is written only by who saw its last version; whoever did not decides anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Count, Q

from therapy.exercises.catalogue import CATALOGUE
from therapy.exercises.walk import Evidence, Walk, therapeutic_value
from therapy.journal import StaleStateError
from therapy.models import ExerciseRun, ProgressMarker

if TYPE_CHECKING:
    from therapy.sessions import PlayerState

RATED_WITHIN = timedelta(days=1)
REMEMBERED = 200
SAFETY_PLAN = "safety_plan"
_WALK = ExerciseRun._meta.get_field("walk")


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run as acts change it. `version` counts them."""

    id: UUID
    exercise: str
    started_at: datetime
    walk: Walk
    version: int = 0

    def walked(self, walk: Walk) -> OpenRun:
        return replace(self, walk=walk, version=self.version + 1)


@dataclass(frozen=True, slots=True)
class CompletedRun:
    """What markers and recommendations rest on."""

    id: UUID
    exercise: str
    at: datetime
    value: float
    mood_before: int | None = None
    mood_after: int | None = None

    @classmethod
    def of(cls, run: OpenRun, at: datetime) -> CompletedRun:
        walk = run.walk
        value = therapeutic_value(walk.evidence())
        return cls(run.id, run.exercise, at, value, walk.mood_before, walk.mood_after)


# --- effects -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartRun:
    """A start; an open run of the same exercise ends as restarted."""

    run: OpenRun
    player_id: Any
    session_id: UUID

    def apply(self) -> None:
        ExerciseRun.objects.filter(
            player_id=self.player_id, exercise=self.run.exercise, ended_at=None
        ).update(ended_at=self.run.started_at, outcome=ExerciseRun.Outcome.RESTARTED)
        ExerciseRun.objects.create(
            id=self.run.id,
            player_id=self.player_id,
            session_id=self.session_id,
            exercise=self.run.exercise,
            started_at=self.run.started_at,
            seconds_expected=round(self.run.walk.seconds_expected),
            **_columns(self.run),
        )

    def settle(self, state: PlayerState) -> None:
        state.open_runs.pop(self.run.exercise, None)  # the newest is the last one
        state.open_runs[self.run.exercise] = self.run
        state.latest_exercise = self.run.exercise


@dataclass(frozen=True, slots=True)
class SaveWalk:
    """An act on an open run."""

    run: OpenRun

    def apply(self) -> None:
        _update(self.run, Q(ended_at=None))

    def settle(self, state: PlayerState) -> None:
        state.open_runs[self.run.exercise] = self.run


@dataclass(frozen=True, slots=True)
class EndRun:
    """The end of an open run, once: StaleStateError if it has ended already."""

    run: OpenRun
    outcome: ExerciseRun.Outcome
    at: datetime

    @property
    def is_completed(self) -> bool:
        return self.outcome == ExerciseRun.Outcome.COMPLETED

    def apply(self) -> None:
        _update(self.run, Q(ended_at=None), ended_at=self.at, outcome=self.outcome)

    def settle(self, state: PlayerState) -> None:
        run = self.run
        state.open_runs.pop(run.exercise, None)
        state.latest_exercise = run.exercise
        if not self.is_completed:
            return
        state.completed.append(CompletedRun.of(run, self.at))
        state.completions[run.exercise] = state.completions.get(run.exercise, 0) + 1
        if run.walk.mood_after is None:
            state.unrated[run.exercise] = run
        if run.exercise == SAFETY_PLAN and run.walk.answers:
            state.safety_plan = run.walk.answers


@dataclass(frozen=True, slots=True)
class RateRun:
    """A mood rated once a run is over, once: it moves the value of the run's marker, and earns none."""

    run: OpenRun
    player_id: Any

    def apply(self) -> None:
        _update(self.run, Q(outcome=ExerciseRun.Outcome.COMPLETED))
        ProgressMarker.objects.filter(player_id=self.player_id, earned_by=f"run:{self.run.id}").update(
            therapeutic_value=therapeutic_value(self.run.walk.evidence())
        )

    def settle(self, state: PlayerState) -> None:
        state.unrated.pop(self.run.exercise, None)
        for n, done in enumerate(state.completed):
            if done.id == self.run.id:
                state.completed[n] = CompletedRun.of(self.run, done.at)


def _update(run: OpenRun, condition: Q, **changes: Any) -> None:
    seen = ExerciseRun.objects.filter(condition, pk=run.id, version=run.version - 1)
    if not seen.update(**_columns(run), **changes):
        raise StaleStateError


def _columns(run: OpenRun) -> dict[str, Any]:
    evidence = run.walk.evidence()
    return {
        "walk": _WALK.seal(run.walk.model_dump(mode="json"), run.id),
        "version": run.version,
        "seconds_spent": round(evidence.seconds_spent),
        "steps_seen": evidence.steps_seen,
        "steps_total": evidence.steps_total,
        "mood_before": evidence.mood_before,
        "mood_after": evidence.mood_after,
    }


# --- reading -----------------------------------------------------------------------------------------


def load_runs(state: PlayerState, at: datetime) -> None:
    """Fill in what a player has under way, may still rate, and has done."""
    of_player = ExerciseRun.objects.filter(player_id=state.player_id, exercise__in=CATALOGUE)
    completed = Q(outcome=ExerciseRun.Outcome.COMPLETED)
    unrated = completed & Q(mood_after=None, ended_at__gt=at - RATED_WITHIN)
    for row in of_player.filter(Q(ended_at=None) | unrated).order_by("started_at"):
        kept = state.unrated if row.ended_at else state.open_runs
        kept[row.exercise] = _as_open(row)
    newest = of_player.filter(completed).order_by("-ended_at")[:REMEMBERED]
    state.completed = [_as_completed(row) for row in reversed(newest.defer("walk"))]
    state.completions = dict(Counter(run.exercise for run in state.completed))
    if len(state.completed) == REMEMBERED:
        counted = of_player.filter(completed).order_by().values_list("exercise").annotate(Count("pk"))
        state.completions = dict(counted)
    if SAFETY_PLAN in state.completions:
        plans = of_player.filter(completed, exercise=SAFETY_PLAN).order_by("-ended_at")
        state.safety_plan = _newest_words(plans[:20])


def _as_open(row: ExerciseRun) -> OpenRun:
    walk = Walk.model_validate(row.walk) if row.walk else Walk.begin(CATALOGUE[row.exercise], row.started_at)
    return OpenRun(row.pk, row.exercise, row.started_at, walk, row.version)


def _as_completed(row: ExerciseRun) -> CompletedRun:
    evidence = Evidence(
        row.seconds_spent,
        row.seconds_expected,
        row.steps_seen,
        row.steps_total,
        row.mood_before,
        row.mood_after,
    )
    at = row.ended_at or row.started_at
    return CompletedRun(
        row.pk, row.exercise, at, therapeutic_value(evidence), row.mood_before, row.mood_after
    )


def _newest_words(runs: Iterable[ExerciseRun]) -> dict[str, str]:
    """Of the newest run in which something was written: one that was merely clicked through hides none."""
    return next((words for run in runs if (words := (run.walk or {}).get("answers"))), {})
