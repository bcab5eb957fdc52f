from __future__ import annotations

import pytest

from therapy.exercises.catalogue import CATALOGUE
from therapy.messages import FeedbackContent, new_id, utc_now
from therapy.personalization import Experience, NoteExperience, PersonalizationServiceManager
from therapy.sessions import PlayerSettings, PlayerState

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


@pytest.mark.parametrize(("rating", "helped", "did_not"), [(5, 2, 0), (3, 1, 1), (1, 0, 2), (4, 1.5, 0.5)])
def test_rating_counts_as_so_much_of_a_success(rating, helped, did_not):
    experience = rated(rating)
    assert (experience.helped, experience.did_not_help, experience.last_rating) == (helped, did_not, rating)


def test_completing_speaks_for_and_stopping_against_an_exercise():
    assert Experience().completed() == Experience(helped=0.5, completions=1)
    assert Experience().stopped() == Experience(did_not_help=0.5)


@pytest.mark.parametrize("is_completed", [True, False])
def test_run_that_ended_is_noted_in_the_state(is_completed):
    state = state_of()
    NoteExperience("breathing", is_completed).settle(state)
    assert state.experiences["breathing"].completions == int(is_completed)


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


def test_safety_plan_is_no_recommendation():
    assert "safety_plan" not in slugs(state_of(settings=PlayerSettings(intensity="high")), count=99)


# --- reasons -----------------------------------------------------------------------------------------


def reason(state: PlayerState, slug: str, themes=()) -> str:
    return next(
        found.reason for found in manager.recommendations(state, themes, 99) if found.id == f"ex_{slug}"
    )


def test_reason_says_the_rating_that_was_given():
    assert reason(state_of(experiences={"grounding": rated(4)}), "grounding") == "You rated it 4 of 5."


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
    assert state.experiences["breathing"] == Experience(2.5, 0, completions=1, last_rating=5)


def test_danger_is_seen_with_nothing_but_the_words():
    assert manager.detect_crisis_situation("I want to kill myself tonight").is_crisis
    assert not manager.detect_crisis_situation("I went for a walk").is_crisis
