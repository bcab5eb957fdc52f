"""What was done, turned into progress markers. A marker is earned by a deed that stands in the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from therapy.exercises.catalogue import Exercise
from therapy.exercises.walk import Evidence, therapeutic_value
from therapy.journal import StaleStateError
from therapy.messages import Language, new_id
from therapy.models import ExerciseRun, ProgressMarker

if TYPE_CHECKING:
    from therapy.sessions import PlayerState

_COMPLETED = {"en": "Completed: {title}", "es": "Completado: {title}"}


@dataclass(frozen=True, slots=True)
class OpenRun:
    id: UUID
    exercise: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Marker:
    """A marker before it is recorded. `earned_by` names the deed and is unique per player."""

    marker_id: UUID
    session_id: UUID
    marker_type: ProgressMarker.Type
    description: str
    therapeutic_value: float
    achieved_at: datetime
    earned_by: str
    run_id: UUID | None = None


def record_marker(player_id: Any, marker: Marker) -> ProgressMarker:
    return ProgressMarker.objects.create(
        marker_id=marker.marker_id,
        marker_type=marker.marker_type,
        description=marker.description,
        achieved_at=marker.achieved_at,
        therapeutic_value=marker.therapeutic_value,
        player_id=player_id,
        session_id=marker.session_id,
        run_id=marker.run_id,
        earned_by=marker.earned_by,
    )


@dataclass(frozen=True, slots=True)
class StartRun:
    """A start; an open run of the same exercise ends as restarted."""

    run: OpenRun
    player_id: Any
    session_id: UUID
    seconds_expected: int

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
            seconds_expected=self.seconds_expected,
        )

    def settle(self, state: PlayerState) -> None:
        state.open_runs[self.run.exercise] = self.run
        state.latest_exercise = self.run.exercise


@dataclass(frozen=True, slots=True)
class EndRun:
    """The end of an open run, once: StaleStateError if it has ended already."""

    run: OpenRun
    outcome: ExerciseRun.Outcome
    at: datetime

    def apply(self) -> None:
        still_open = ExerciseRun.objects.filter(pk=self.run.id, ended_at=None)
        if not still_open.update(ended_at=self.at, outcome=self.outcome):
            raise StaleStateError

    def settle(self, state: PlayerState) -> None:
        state.open_runs.pop(self.run.exercise, None)
        state.latest_exercise = self.run.exercise


@dataclass(frozen=True, slots=True)
class RecordMarker:
    player_id: Any
    marker: Marker

    def apply(self) -> None:
        record_marker(self.player_id, self.marker)

    def settle(self, state: PlayerState) -> None:
        """Nothing of the state depends on markers."""


class ProgressTracker:
    """Recognizes what earns a marker."""

    def completed(
        self, run: OpenRun, exercise: Exercise, session_id: UUID, at: datetime, language: Language
    ) -> Marker:
        """The marker of a completed run. Its value follows from the evidence (docs/exercises.md)."""
        evidence = Evidence(
            seconds_spent=(at - run.started_at).total_seconds(),
            seconds_expected=exercise.duration_seconds,
            steps_seen=len(exercise.steps),
            steps_total=len(exercise.steps),
        )
        return Marker(
            marker_id=new_id(),
            session_id=session_id,
            marker_type=ProgressMarker.Type.SKILL_ACQUIRED,
            description=_COMPLETED[language].format(title=exercise.title.get(language)),
            therapeutic_value=therapeutic_value(evidence),
            achieved_at=at,
            earned_by=f"run:{run.id}",
            run_id=run.id,
        )
