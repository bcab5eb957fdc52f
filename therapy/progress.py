"""What was done, turned into progress markers. A marker is earned by a deed that stands in the database.

The rules look at nothing but a player's completed runs; docs/exercises.md tells them to people.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import fmean
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.utils.timezone import localdate

from therapy.exercises.catalogue import CATALOGUE
from therapy.messages import Language, new_id
from therapy.models import ProgressMarker
from therapy.runs import CompletedRun

if TYPE_CHECKING:
    from therapy.sessions import PlayerState

MILESTONES = (3, 10)
STREAKS = (3, 7)
WEEK = timedelta(days=7)
LOW_MOOD, GOOD_MOOD, MOODS_NEEDED = 3, 6, 3

_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "completed": "Completed: {title}",
        "completed_again": "Completed {count} times: {title}",
        "streak": "{count} days in a row with an exercise",
        "goal": "Goal reached, {count} times: {title}",
        "goal_once": "Goal reached: {title}",
        "setback": "Through a hard week: the last exercises left you feeling better",
    },
    "es": {
        "completed": "Completado: {title}",
        "completed_again": "Completado {count} veces: {title}",
        "streak": "{count} días seguidos con un ejercicio",
        "goal": "Meta alcanzada, {count} veces: {title}",
        "goal_once": "Meta alcanzada: {title}",
        "setback": "Una semana difícil superada: con los últimos ejercicios te sentiste mejor",
    },
}


@dataclass(frozen=True, slots=True)
class Goal:
    """What a player set out to do: an exercise so many times from `set_at` on."""

    exercise: str
    times: int
    set_at: datetime

    @property
    def earned_by(self) -> str:
        return f"goal:{self.exercise}:{self.times}:{self.set_at:%Y-%m-%dT%H:%M:%S}"

    def to_json(self) -> dict[str, Any]:
        return {"exercise": self.exercise, "times": self.times, "set_at": self.set_at.isoformat()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Goal:
        return cls(data["exercise"], data["times"], datetime.fromisoformat(data["set_at"]))


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
class RecordMarker:
    player_id: Any
    marker: Marker

    def apply(self) -> None:
        record_marker(self.player_id, self.marker)

    def settle(self, state: PlayerState) -> None:
        if self.marker.run_id is None:
            state.earned.add(self.marker.earned_by)


def load_earned(player_id: Any) -> set[str]:
    """The deeds that were recognized by a rule over several runs."""
    by_rule = ProgressMarker.objects.filter(player_id=player_id, run=None)
    return set(by_rule.values_list("earned_by", flat=True))


# --- the rules ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Deed:
    """Something achieved by several runs; it is worth as much as they were on average."""

    marker_type: ProgressMarker.Type
    earned_by: str
    word: str
    runs: Sequence[CompletedRun]
    count: int = 0
    exercise: str = ""

    @property
    def value(self) -> float:
        return round(fmean(run.value for run in self.runs), 3)


def streaks(runs: Sequence[CompletedRun]) -> Iterator[Deed]:
    """The days in a row that end with the day of the last run, if they are just as many as count. The portal's days."""
    by_day: dict[date, list[CompletedRun]] = {}
    for run in runs:
        by_day.setdefault(localdate(run.at), []).append(run)
    first = localdate(runs[-1].at)
    while first - timedelta(days=1) in by_day:
        first -= timedelta(days=1)
    count = (localdate(runs[-1].at) - first).days + 1
    if count in STREAKS:
        within = [run for run in runs if localdate(run.at) >= first]
        yield Deed(ProgressMarker.Type.MILESTONE, f"streak:{count}:{first}", "streak", within, count)


def goal_reached(runs: Sequence[CompletedRun], goal: Goal | None) -> Iterator[Deed]:
    if goal is None:
        return
    towards = [run for run in runs if run.exercise == goal.exercise and run.at >= goal.set_at]
    if len(towards) >= goal.times:
        word = "goal" if goal.times > 1 else "goal_once"
        achieved = ProgressMarker.Type.GOAL_ACHIEVED
        yield Deed(achieved, goal.earned_by, word, towards, goal.times, goal.exercise)


def week_overcome(runs: Sequence[CompletedRun], at: datetime, earned: Collection[str]) -> Iterator[Deed]:
    """Low moods before the exercises of a week, and good ones after the last of them; at most once a week."""
    week = [run for run in runs if at - WEEK < run.at]
    before = [run.mood_before for run in week if run.mood_before is not None]
    lifted = [run for run in week if run.mood_after is not None][-MOODS_NEEDED:]
    if min(len(before), len(lifted)) < MOODS_NEEDED or fmean(before) > LOW_MOOD:
        return
    today = localdate(at)
    is_lately = any(key.startswith("setback:") and today - _day_of(key) < WEEK for key in earned)
    if fmean(run.mood_after or 0 for run in lifted) >= GOOD_MOOD and not is_lately:
        overcome = ProgressMarker.Type.SETBACK_OVERCOME
        yield Deed(overcome, f"setback:{today}", "setback", lifted)


def _day_of(key: str) -> date:
    return date.fromisoformat(key.removeprefix("setback:"))


class ProgressTracker:
    """Recognizes what earns a marker, and nothing twice."""

    def completed(
        self, run: CompletedRun, state: PlayerState, session_id: UUID, language: Language
    ) -> list[Marker]:
        """The run's own marker, then those of what it completes."""
        count = state.completions.get(run.exercise, 0) + 1
        runs = [*state.completed, run]
        deeds = [
            *streaks(runs),
            *goal_reached(runs, state.settings.goal),
            *week_overcome(runs, run.at, state.earned),
        ]
        own = _of_run(run, count, session_id, language)
        return [own, *self._new(deeds, state, session_id, run.at, language)]

    def rated(
        self, run: CompletedRun, state: PlayerState, session_id: UUID, at: datetime, language: Language
    ) -> list[Marker]:
        """What a rating given after the end completes; the run's own marker stands already."""
        runs = [run if done.id == run.id else done for done in state.completed]
        return self._new(week_overcome(runs, at, state.earned), state, session_id, at, language)

    def _new(
        self, deeds: Iterable[Deed], state: PlayerState, session_id: UUID, at: datetime, language: Language
    ) -> list[Marker]:
        new = (deed for deed in deeds if deed.earned_by not in state.earned)
        return [_of_deed(deed, session_id, at, language) for deed in new]


def _of_run(run: CompletedRun, count: int, session_id: UUID, language: Language) -> Marker:
    is_milestone = count in MILESTONES
    word = "completed_again" if is_milestone else "completed"
    return Marker(
        marker_id=new_id(),
        session_id=session_id,
        marker_type=ProgressMarker.Type.MILESTONE if is_milestone else ProgressMarker.Type.SKILL_ACQUIRED,
        description=_describe(word, run.exercise, count, language),
        therapeutic_value=run.value,
        achieved_at=run.at,
        earned_by=f"run:{run.id}",
        run_id=run.id,
    )


def _of_deed(deed: Deed, session_id: UUID, at: datetime, language: Language) -> Marker:
    return Marker(
        marker_id=new_id(),
        session_id=session_id,
        marker_type=deed.marker_type,
        description=_describe(deed.word, deed.exercise, deed.count, language),
        therapeutic_value=deed.value,
        achieved_at=at,
        earned_by=deed.earned_by,
    )


def _describe(word: str, exercise: str, count: int, language: Language) -> str:
    title = CATALOGUE[exercise].title.get(language) if exercise else ""
    return _WORDS[language][word].format(title=title, count=count)
