from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from therapy.exercises.catalogue import CATALOGUE
from therapy.exercises.walk import Walk
from therapy.messages import new_id
from therapy.models import ExerciseRun, ProgressMarker
from therapy.progress import Goal, ProgressTracker, RecordMarker
from therapy.runs import CompletedRun, EndRun, OpenRun, RateRun, StartRun
from therapy.sessions import PlayerSettings, PlayerState

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BREATHING = CATALOGUE["breathing"]
RUN = OpenRun(new_id(), "breathing", NOON, Walk.begin(BREATHING, NOON))
Type = ProgressMarker.Type
tracker = ProgressTracker()


def over(run: OpenRun = RUN, seconds: float = 76) -> OpenRun:
    return run.walked(run.walk.complete(NOON + timedelta(seconds=seconds)))


def done(at: datetime = NOON, exercise: str = "breathing", value: float = 0.5, **moods: int) -> CompletedRun:
    return CompletedRun(
        new_id(), exercise, at, value, **{f"mood_{name}": mood for name, mood in moods.items()}
    )


def after(*earlier: CompletedRun, **fields) -> PlayerState:
    """The state of a player who has done these, oldest first."""
    state = PlayerState(7, **fields)
    for run in earlier:
        state.completed.append(run)
        state.completions[run.exercise] = state.completions.get(run.exercise, 0) + 1
    return state


def earned(run: CompletedRun, state: PlayerState, language="en"):
    return tracker.completed(run, state, new_id(), language)


def types(run: CompletedRun, state: PlayerState) -> list[str]:
    return [marker.marker_type for marker in earned(run, state)]


def completed_after(seconds: float, language="en"):
    run = over(seconds=seconds)
    (marker,) = earned(CompletedRun.of(run, NOON + timedelta(seconds=seconds)), PlayerState(7), language)
    return marker


# --- the run's own marker ----------------------------------------------------------------------------


def test_marker_names_the_deed_and_leads_back_to_the_run():
    marker = completed_after(76)
    assert (marker.earned_by, marker.run_id) == (f"run:{RUN.id}", RUN.id)


def test_completing_an_exercise_is_a_skill_acquired():
    marker = completed_after(76)
    assert marker.marker_type == Type.SKILL_ACQUIRED
    assert marker.achieved_at == NOON + timedelta(seconds=76)


@pytest.mark.parametrize("seconds", [0, 2, 76, 10**6, -5])
def test_value_is_between_0_and_1_whatever_the_clock_says(seconds):
    assert 0 < completed_after(seconds).therapeutic_value <= 1


def test_clicking_through_is_worth_little():
    assert completed_after(2).therapeutic_value == 0.05
    assert completed_after(BREATHING.duration_seconds).therapeutic_value == 0.5


@pytest.mark.parametrize(
    ("language", "description"), [("en", "Completed: 4-7-8 breathing"), ("es", "Completado: ")]
)
def test_description_is_in_the_players_language(language, description):
    assert completed_after(76, language).description.startswith(description)


@pytest.mark.parametrize(
    ("number", "expected"), [(1, "SKILL_ACQUIRED"), (2, "SKILL_ACQUIRED"), (3, "MILESTONE"), (4, "SKILL_ACQUIRED"),
                             (9, "SKILL_ACQUIRED"), (10, "MILESTONE"), (11, "SKILL_ACQUIRED")]
)  # fmt: skip
def test_third_and_tenth_completion_are_milestones(number, expected):
    state = PlayerState(7, completions={"breathing": number - 1, "grounding": 2})
    assert types(done(), state) == [expected]


def test_milestone_says_how_often():
    (marker,) = earned(done(), PlayerState(7, completions={"breathing": 2}))
    assert marker.description == "Completed 3 times: 4-7-8 breathing"


# --- days in a row -----------------------------------------------------------------------------------


def on_days(*days: int) -> list[CompletedRun]:
    return [done(NOON + day * DAY, exercise="grounding", value=0.1 * (n + 1)) for n, day in enumerate(days)]


@pytest.mark.parametrize(
    ("days", "is_streak"),
    [((-2, -1), True), ((-1,), False), ((-3, -2), False), ((-3, -1), False), ((-2, -2, -1, -1), True), ((-3, -2, -1), False),
     (range(-6, 0), True), (range(-7, 0), False)],
)  # fmt: skip
def test_three_and_seven_days_in_a_row_are_a_milestone(days, is_streak):
    state = after(*on_days(*days))
    assert types(done(), state) == ["SKILL_ACQUIRED", *(["MILESTONE"] if is_streak else [])]


def test_streak_names_its_first_day_and_is_worth_its_runs_on_average():
    _, marker = earned(done(value=0.6), after(*on_days(-2, -1)))
    assert marker.earned_by == "streak:3:2026-11-20"
    assert marker.therapeutic_value == pytest.approx((0.1 + 0.2 + 0.6) / 3, abs=0.001)
    assert marker.description == "3 days in a row with an exercise"


def test_streak_is_not_earned_twice_on_its_day():
    state = after(*on_days(-2, -1, 0), earned={"streak:3:2026-11-20"})
    assert types(done(), state) == ["SKILL_ACQUIRED"]


def test_another_streak_is_earned_again():
    state = after(*on_days(-9, -8, -7, -2, -1), earned={"streak:3:2026-11-13"})
    assert types(done(), state) == ["SKILL_ACQUIRED", "MILESTONE"]


def test_days_are_the_portals():
    with timezone.override("Pacific/Auckland"):
        _, marker = earned(done(), after(*on_days(-2, -1)))
    assert marker.earned_by == "streak:3:2026-11-21"  # noon in UTC is the next day's first hour there


# --- goals -------------------------------------------------------------------------------------------

GOAL = Goal("breathing", 2, NOON - DAY)


def test_goal_is_reached_by_so_many_completions_since_it_was_set():
    state = after(done(NOON - DAY), settings=PlayerSettings(goal=GOAL))
    own, reached = earned(done(), state)
    assert (reached.marker_type, reached.earned_by) == (
        Type.GOAL_ACHIEVED,
        "goal:breathing:2:2026-11-21T12:00:00",
    )
    assert reached.description == "Goal reached, 2 times: 4-7-8 breathing"
    assert own.run_id is not None
    assert reached.run_id is None


@pytest.mark.parametrize("earlier", [done(NOON - 2 * DAY), done(NOON - DAY, exercise="grounding")])
def test_goal_counts_neither_what_was_before_it_nor_other_exercises(earlier):
    assert types(done(), after(earlier, settings=PlayerSettings(goal=GOAL))) == ["SKILL_ACQUIRED"]


def test_goal_is_reached_once():
    state = after(done(NOON - DAY), settings=PlayerSettings(goal=GOAL), earned={GOAL.earned_by})
    assert types(done(), state) == ["SKILL_ACQUIRED"]


def test_goal_set_anew_is_another_goal():
    again = Goal("breathing", 1, NOON - timedelta(minutes=1))
    state = after(settings=PlayerSettings(goal=again), earned={GOAL.earned_by})
    assert types(done(), state) == ["SKILL_ACQUIRED", "GOAL_ACHIEVED"]


def test_goal_survives_storing():
    assert Goal.from_json(GOAL.to_json()) == GOAL


# --- a difficult week --------------------------------------------------------------------------------


def week(*moods: tuple[int | None, int | None], end: datetime = NOON) -> list[CompletedRun]:
    """Runs of one day, an hour apart, with moods before and after."""
    start = end - timedelta(hours=len(moods))
    return [
        CompletedRun(new_id(), "grounding", start + timedelta(hours=n), 0.2, *mood)
        for n, mood in enumerate(moods)
    ]


HARD = ((2, 5), (3, 6), (3, 6))


def test_difficult_week_overcome_is_a_setback_overcome():
    *_, marker = earned(done(value=0.8, before=4, after=7), after(*week(*HARD)))
    assert (marker.marker_type, marker.earned_by) == (Type.SETBACK_OVERCOME, "setback:2026-11-22")
    assert marker.therapeutic_value == pytest.approx((0.2 + 0.2 + 0.8) / 3, abs=0.001)


@pytest.mark.parametrize(
    "moods",
    [
        ((2, 5), (3, 6)),  # with the last one three, but low on average
        ((4, 6), (4, 6), (4, 6)),  # not so difficult
        ((2, 5), (3, 5), (3, 5)),  # not yet overcome
        ((None, 6), (None, 6), (2, 6)),  # too few moods before
        ((2, None), (2, None), (2, None)),  # too few after
    ],
)
def test_what_is_no_difficult_week_overcome(moods):
    assert Type.SETBACK_OVERCOME not in types(done(before=3, after=6), after(*week(*moods)))


def test_moods_of_an_earlier_week_do_not_count():
    assert types(done(before=2, after=8), after(*week(*HARD, end=NOON - 7 * DAY))) == ["SKILL_ACQUIRED"]


@pytest.mark.parametrize(("days", "is_again"), [(0, False), (6, False), (7, True)])
def test_difficult_week_is_overcome_at_most_once_a_week(days, is_again):
    state = after(*week(*HARD), earned={f"setback:{(NOON - days * DAY).date()}"})
    assert (Type.SETBACK_OVERCOME in types(done(before=3, after=8), state)) is is_again


def test_rating_after_the_end_can_overcome_a_difficult_week():
    last = done(before=3)
    rated = CompletedRun(last.id, last.exercise, last.at, 0.7, 3, 9)
    (marker,) = tracker.rated(rated, after(*week(*HARD), last), new_id(), NOON, "en")
    assert marker.marker_type == Type.SETBACK_OVERCOME


def test_rating_after_the_end_earns_no_marker_of_the_run():
    last = done(before=3)
    assert tracker.rated(last, after(last), new_id(), NOON, "en") == []


# --- what settles in the state -----------------------------------------------------------------------


def test_start_is_known_as_under_way_and_latest():
    state = PlayerState(7)
    StartRun(RUN, 7, new_id()).settle(state)
    assert (state.open_runs, state.latest_exercise) == ({"breathing": RUN}, "breathing")


def test_end_is_no_more_under_way_but_latest():
    state = PlayerState(7, open_runs={"breathing": RUN}, latest_exercise="grounding")
    EndRun(over(), ExerciseRun.Outcome.COMPLETED, NOON).settle(state)
    assert (state.open_runs, state.latest_exercise) == ({}, "breathing")


def test_completion_is_counted_and_may_be_rated():
    state = PlayerState(7, open_runs={"breathing": RUN})
    EndRun(over(), ExerciseRun.Outcome.COMPLETED, NOON).settle(state)
    assert (state.completions, list(state.unrated)) == ({"breathing": 1}, ["breathing"])
    assert state.completed == [CompletedRun.of(over(), NOON)]


def test_stopping_is_neither_counted_nor_rated():
    state = PlayerState(7, open_runs={"breathing": RUN})
    EndRun(RUN.walked(RUN.walk.stop(NOON)), ExerciseRun.Outcome.STOPPED, NOON).settle(state)
    assert (state.completions, state.unrated, state.completed) == ({}, {}, [])


def test_rating_after_the_end_changes_what_is_known_of_the_run():
    rated_before = RUN.walked(RUN.walk.rate("before", 4))
    state = PlayerState(7, open_runs={"breathing": rated_before})
    EndRun(over(rated_before), ExerciseRun.Outcome.COMPLETED, NOON).settle(state)
    run = state.unrated["breathing"]
    RateRun(run.walked(run.walk.rate("after", 6)), 7).settle(state)
    assert state.unrated == {}
    assert (state.completed[0].mood_after, state.completed[0].value) == (6, 0.7)


def test_marker_of_a_run_changes_nothing_of_the_state():
    state = PlayerState(7)
    RecordMarker(7, completed_after(76)).settle(state)
    assert state == PlayerState(7)


def test_marker_of_a_rule_is_known_as_earned():
    state = after(*on_days(-2, -1))
    _, marker = earned(done(), state)
    RecordMarker(7, marker).settle(state)
    assert state.earned == {"streak:3:2026-11-20"}
