from __future__ import annotations

import pytest

from therapy.exercises.catalogue import CATALOGUE
from therapy.messages import FeedbackContent, new_id, utc_now
from therapy.personalization import Experience, NoteExperience, PersonalizationServiceManager
from therapy.sessions import PlayerSettings, PlayerState
from therapy.suitability import Limits

manager = PersonalizationServiceManager()


def state_of(player_id: int = 7, **fields) -> PlayerState:
    return PlayerState(player_id, **fields)


def rated(rating: int, times: int = 1) -> Experience:
    experience = Experience()
    for _ in range(times):
        experience = experience.rated(rating)
    return experience


def slugs(state: PlayerState, themes=(), count: int = 3) -> list[str]:
    return [found.id.removeprefix("ex_") for found in manager.recommendations(state, themes, count)]


def share(slug: str, themes=(), **fields) -> float:
    """How often an exercise is among the three recommended, over 1,000 players."""
    return sum(slug in slugs(state_of(player, **fields), themes) for player in range(1000)) / 1000


# --- experience --------------------------------------------------------------------------------------


def verdict(experience: Experience) -> float:
    """The share of what is known that speaks for the exercise."""
    return experience.helped / (experience.helped + experience.did_not_help)


@pytest.mark.parametrize(("rating", "success"), [(5, 1), (4, 0.75), (3, 0.5), (1, 0)])
def test_rating_counts_as_so_much_of_a_success(rating, success):
    assert verdict(rated(rating)) == success
    assert rated(rating).last_rating == rating


def test_completing_speaks_for_and_stopping_against_an_exercise():
    assert verdict(Experience().completed()) == 1
    assert verdict(Experience().stopped()) == 0
    assert (Experience().completed().completions, Experience().stopped().completions) == (1, 0)


@pytest.mark.parametrize(
    ("before", "after", "success"), [(3, 7, 1), (0, 10, 1), (4, 4, 0.5), (5, 3, 0.25), (8, 0, 0)]
)
def test_mood_that_moved_counts_as_so_much_of_a_success(before, after, success):
    assert verdict(Experience().moved(before, after)) == success


@pytest.mark.parametrize(("before", "after"), [(None, 5), (5, None), (None, None)])
def test_one_mood_alone_says_nothing(before, after):
    assert Experience().moved(before, after) == Experience()


def test_a_rating_says_more_than_a_completion():
    assert verdict(Experience().completed().rated(1)) < 0.2


def test_what_is_new_weighs_more_than_what_is_old():
    assert verdict(rated(5, times=20).rated(1).rated(1).rated(1)) < 20 / 23


def test_runs_that_ended_are_noted_in_the_state():
    state = state_of()
    NoteExperience.completed("breathing", 3, 6).settle(state)
    NoteExperience.stopped("grounding").settle(state)
    NoteExperience.moved("breathing", 3, 7).settle(state)
    assert (state.experiences["breathing"].completions, state.experiences["breathing"].last_moods) == (
        1,
        (3, 7),
    )
    assert verdict(state.experiences["grounding"]) == 0


# --- recommending ------------------------------------------------------------------------------------


def test_three_different_exercises_are_recommended():
    assert len(set(slugs(state_of()))) == 3


def test_same_state_recommends_the_same():
    assert slugs(state_of(head=4)) == slugs(state_of(head=4))


def test_what_is_recommended_varies_with_time_and_player():
    assert len({tuple(slugs(state_of(head=head))) for head in range(20)}) > 5
    assert len({tuple(slugs(state_of(player))) for player in range(20)}) > 5


def test_rating_once_is_felt():
    fresh = share("grounding")
    assert share("grounding", experiences={"grounding": rated(5)}) > 2 * fresh
    assert share("grounding", experiences={"grounding": rated(1)}) < fresh / 2


def test_what_helped_often_is_nearly_always_recommended():
    assert share("grounding", experiences={"grounding": rated(5, times=8)}) > 0.95


def test_what_is_little_tried_still_comes_up():
    helped = {"grounding": rated(5, 8), "breathing": rated(5, 8), "cyclic_sighing": rated(5, 8)}
    assert sum(share(slug, experiences=helped) for slug in CATALOGUE if slug not in helped) > 0.1


def test_words_steer_what_is_recommended():
    theme = next(iter(CATALOGUE["worry_time"].helps_with))
    assert share("worry_time", themes=(theme,)) > share("worry_time")


def test_preferred_approaches_steer_what_is_recommended():
    approaches = tuple(CATALOGUE["grounding"].approaches)
    assert share("grounding", settings=PlayerSettings(approaches=approaches)) > share("grounding")


@pytest.mark.parametrize(("intensity", "allowed"), [("low", {"low"}), ("medium", {"low", "medium"})])
def test_nothing_more_intense_than_wanted_is_recommended(intensity, allowed):
    found = slugs(state_of(settings=PlayerSettings(intensity=intensity)), count=99)
    assert {CATALOGUE[slug].intensity for slug in found} == allowed


def test_safety_plan_is_recommended_only_where_the_words_are_about_it():
    assert "safety_plan" not in slugs(state_of(settings=PlayerSettings(intensity="high")), count=99)
    assert "safety_plan" in slugs(state_of(), ("suicidal_thoughts",), 99)


@pytest.mark.parametrize(
    ("limits", "missing"),
    [
        (Limits(contraindications=frozenset({"cardiac"})), "box_breathing"),
        (Limits(denied=frozenset({"worry_time"})), "worry_time"),
        (Limits(allowed=frozenset({"breathing"})), "worry_time"),
    ],
)
def test_what_does_not_suit_is_never_recommended_however_much_it_helped(limits, missing):
    state = state_of(limits=limits, experiences={missing: rated(5, times=9)})
    assert missing not in slugs(state, count=99)
    assert missing not in manager.helped_before(state)


# --- reasons -----------------------------------------------------------------------------------------


def reason(state: PlayerState, slug: str, themes=()) -> str:
    return next(
        found.reason for found in manager.recommendations(state, themes, 99) if found.id == f"ex_{slug}"
    )


def test_reason_says_the_rating_that_was_given():
    assert reason(state_of(experiences={"grounding": rated(4)}), "grounding") == "You rated grounding 4 of 5."


def test_reason_says_how_mood_rose():
    state = state_of(experiences={"grounding": Experience().moved(3, 6)})
    assert reason(state, "grounding") == "Your mood went from 3 to 6 with it."


def test_reason_holds_up_nothing_that_went_badly():
    state = state_of(experiences={"grounding": Experience().completed().moved(6, 3).rated(1)})
    assert reason(state, "grounding") == "You know it already."
    assert reason(state, "grounding", ("panic",)) == "It fits what you are writing about."


def test_reason_says_that_it_was_done_before():
    done = {"grounding": Experience().completed()}
    assert reason(state_of(experiences=done), "grounding") == "You have completed it before."


def test_reason_says_that_it_fits_the_words():
    theme = next(iter(CATALOGUE["grounding"].helps_with))
    assert reason(state_of(), "grounding", (theme,)) == "It fits what you are writing about."


def test_reason_says_that_it_fits_the_preferences():
    settings = PlayerSettings(approaches=tuple(CATALOGUE["grounding"].approaches))
    assert reason(state_of(settings=settings), "grounding") == "It fits the approaches you prefer."


def test_reason_says_that_it_is_new():
    assert reason(state_of(), "grounding") == "Something you have not tried yet."


def test_labels_and_reasons_are_in_the_players_language():
    state = state_of(settings=PlayerSettings(language="es"))
    (found,) = [r for r in manager.recommendations(state, (), 99) if r.id == "ex_grounding"]
    assert found.label == CATALOGUE["grounding"].title.get("es")
    assert found.reason == "Algo que todavía no has probado."


# --- what helped, and feedback -----------------------------------------------------------------------


def test_what_helped_before_comes_best_first():
    experiences = {
        "breathing": rated(4),
        "grounding": rated(5),
        "worry_time": rated(1),
        "box_breathing": rated(3),
    }
    assert manager.helped_before(state_of(experiences=experiences)) == ("grounding", "breathing")


def feedback(state: PlayerState, **content):
    return manager.process_feedback(state, new_id(), FeedbackContent(**content), utc_now())


def test_feedback_is_about_the_latest_exercise_unless_it_names_one():
    state = state_of(latest_exercise="breathing")
    assert feedback(state, rating=5).exercise == "breathing"
    assert feedback(state, rating=5, about="ex_grounding").exercise == "grounding"


@pytest.mark.parametrize("content", [{"rating": 5}, {"text": "It helped."}])
def test_feedback_without_any_exercise_changes_no_experience(content):
    state = state_of()
    feedback(state, **content).settle(state)
    assert state.experiences == {}


def test_feedback_adds_to_what_was_known():
    state = state_of(latest_exercise="breathing", experiences={"breathing": Experience().completed()})
    feedback(state, rating=5).settle(state)
    assert state.experiences["breathing"] == Experience().completed().rated(5)


def test_danger_is_seen_with_nothing_but_the_words():
    assert manager.detect_crisis_situation("I want to kill myself tonight").is_crisis
    assert not manager.detect_crisis_situation("I went for a walk").is_crisis
