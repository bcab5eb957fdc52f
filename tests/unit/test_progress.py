from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from therapy.exercises.catalogue import CATALOGUE
from therapy.messages import new_id
from therapy.models import ExerciseRun, ProgressMarker
from therapy.progress import EndRun, OpenRun, ProgressTracker, RecordMarker, StartRun
from therapy.sessions import PlayerState

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BREATHING = CATALOGUE["breathing"]
RUN = OpenRun(new_id(), "breathing", NOON)


def completed_after(seconds: float, language="en"):
    at = NOON + timedelta(seconds=seconds)
    return ProgressTracker().completed(RUN, BREATHING, new_id(), at, language)


def test_marker_names_the_deed_and_leads_back_to_the_run():
    marker = completed_after(76)
    assert (marker.earned_by, marker.run_id) == (f"run:{RUN.id}", RUN.id)


def test_completing_an_exercise_is_a_skill_acquired():
    marker = completed_after(76)
    assert marker.marker_type == ProgressMarker.Type.SKILL_ACQUIRED
    assert marker.achieved_at == NOON + timedelta(seconds=76)


@pytest.mark.parametrize("seconds", [0, 2, 76, 10**6, -5])
def test_value_is_between_0_and_1_whatever_the_clock_says(seconds):
    assert 0 < completed_after(seconds).therapeutic_value <= 1


def test_clicking_through_is_worth_little():
    assert (
        completed_after(2).therapeutic_value < completed_after(BREATHING.duration_seconds).therapeutic_value
    )


@pytest.mark.parametrize(
    ("language", "description"), [("en", "Completed: 4-7-8 breathing"), ("es", "Completado: ")]
)
def test_description_is_in_the_players_language(language, description):
    assert completed_after(76, language).description.startswith(description)


def test_start_is_known_as_under_way_and_latest():
    state = PlayerState(7)
    StartRun(RUN, 7, new_id(), 76).settle(state)
    assert (state.open_runs, state.latest_exercise) == ({"breathing": RUN}, "breathing")


def test_end_is_no_more_under_way_but_latest():
    state = PlayerState(7, open_runs={"breathing": RUN}, latest_exercise="grounding")
    EndRun(RUN, ExerciseRun.Outcome.COMPLETED, NOON).settle(state)
    assert (state.open_runs, state.latest_exercise) == ({}, "breathing")


def test_marker_changes_nothing_of_the_state():
    state = PlayerState(7)
    RecordMarker(7, completed_after(76)).settle(state)
    assert state == PlayerState(7)
