"""Deciding about exercises: what is answered, and which effects are named. Nothing is stored here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from therapy import practice
from therapy.crisis.assessment import CALM, Assessment, Level
from therapy.crisis.episode import Episode
from therapy.exercises.catalogue import CATALOGUE
from therapy.exercises.walk import Walk
from therapy.messages import Interaction, InteractionContent, TextContent, UserMessage, new_id
from therapy.practice import interact, take_words
from therapy.runs import OpenRun
from therapy.sessions import PlayerSettings, PlayerState, RefusedError, SessionContext
from therapy.situation import Reply, Situation
from therapy.suitability import Limits, is_suitable, suitable

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Talk:
    """A player whose acts are decided, and settled as after a commit, a minute apart."""

    def __init__(self, **fields: Any) -> None:
        self.state = PlayerState(7, **fields)
        self.now = NOON
        self.assessment = CALM

    def situation(self) -> Situation:
        return Situation(self.state, SessionContext(new_id()), self.assessment, "msg_1", self.now)

    def press(self, element_id: str) -> Reply:
        reply = interact(
            self.situation(), Interaction(type="interaction", content=InteractionContent(id=element_id))
        )
        return self.settled(reply)

    def write(self, text: str) -> Reply | None:
        reply = take_words(self.situation(), UserMessage(type="user_message", content=TextContent(text=text)))
        return reply and self.settled(reply)

    def settled(self, reply: Reply) -> Reply:
        for effect in reply.effects:
            effect.settle(self.state)
        self.now += timedelta(minutes=1)
        return reply

    def refused(self, element_id: str) -> str:
        with pytest.raises(RefusedError) as refusal:
            self.press(element_id)
        return refusal.value.code


def ids(reply: Reply, kind: str = "button") -> list[str]:
    return [element.id for element in reply.elements if element.type == kind]


def moods(slug: str, moment: str) -> list[str]:
    return [f"ex_{slug}_{moment}_{value}" for value in range(11)]


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.fixture
def sheet() -> Talk:
    """Somebody at the first question of a thought record."""
    talk = Talk()
    talk.press("ex_thought_record")
    talk.press("ex_thought_record_next")
    return talk


# --- walking -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", CATALOGUE)
def test_start_is_one_instruction_with_all_steps_and_one_button(talk, slug):
    instruction, button = talk.press(f"ex_{slug}").elements
    assert len(instruction.steps) == len(CATALOGUE[slug].steps)
    assert button.id == f"ex_{slug}_complete"


def test_first_next_shows_the_first_step_and_asks_for_the_mood(talk):
    talk.press("ex_grounding")
    reply = talk.press("ex_grounding_next")
    assert ids(reply, "instruction") == ["ex_grounding_step_1"]
    assert ids(reply) == ["ex_grounding_next", "ex_grounding_stop", *moods("grounding", "before")]


def test_mood_is_asked_for_once(talk):
    talk.press("ex_grounding")
    talk.press("ex_grounding_before_4")
    assert moods("grounding", "before")[0] not in ids(talk.press("ex_grounding_next"))
    assert moods("grounding", "before")[0] not in ids(talk.press("ex_grounding_next"))


def test_mood_is_not_asked_for_where_it_makes_no_sense(talk):
    talk.press("ex_worry_time")
    assert ids(talk.press("ex_worry_time_next")) == ["ex_worry_time_next", "ex_worry_time_stop"]


def test_next_and_back_show_the_step_that_was_asked_for(talk):
    talk.press("ex_grounding")
    shown = [talk.press(f"ex_grounding_{verb}") for verb in ("next", "next", "next", "back")]
    assert [ids(reply, "instruction") for reply in shown] == [
        [f"ex_grounding_step_{n}"] for n in (1, 2, 3, 2)
    ]


def test_last_step_completes_in_place_of_next(talk):
    talk.press("ex_cyclic_sighing")
    for _ in CATALOGUE["cyclic_sighing"].steps:
        reply = talk.press("ex_cyclic_sighing_next")
    assert "ex_cyclic_sighing_complete" in ids(reply)
    assert "ex_cyclic_sighing_next" not in ids(reply)


@pytest.mark.parametrize("verb", ["next", "back", "stop", "complete", "before_3", "after_3"])
def test_nothing_is_walked_that_was_not_started(talk, verb):
    assert talk.refused(f"ex_grounding_{verb}") == "exercise_not_started"


def test_catalogue_that_lost_steps_meanwhile_is_walked_to_its_end(talk):
    longer = Walk.begin(CATALOGUE["muscle_relaxation"], NOON).model_copy(update={"step": 6})
    talk.state.open_runs["grounding"] = OpenRun(new_id(), "grounding", NOON, longer)
    assert ids(talk.press("ex_grounding_next"), "instruction") == ["ex_grounding_step_5"]


# --- ending and rating -------------------------------------------------------------------------------


def test_completion_is_one_progress_element_for_who_just_pressed(talk):
    talk.press("ex_breathing")
    assert [element.type for element in talk.press("ex_breathing_complete").elements] == ["progress"]


def test_completion_asks_who_walked_for_the_mood(talk):
    talk.press("ex_breathing")
    talk.press("ex_breathing_next")
    assert ids(talk.press("ex_breathing_complete")) == moods("breathing", "after")


def test_mood_rated_meanwhile_is_not_asked_for_again(talk):
    talk.press("ex_breathing")
    talk.press("ex_breathing_next")
    talk.press("ex_breathing_after_7")
    assert ids(talk.press("ex_breathing_complete")) == []


def test_value_follows_mood_rated_before_and_during(talk):
    for verb in ("", "_before_4", "_after_6"):
        talk.press(f"ex_breathing{verb}")
    assert talk.press("ex_breathing_complete").elements[0].therapeutic_value == 0.7


def test_mood_after_the_end_is_noted_once_and_changes_the_run(talk):
    for verb in ("", "_before_4", "_complete"):
        talk.press(f"ex_breathing{verb}")
    assert talk.press("ex_breathing_after_6").text == "Noted: 6 of 10. Before, it was 4."
    assert talk.state.completed[0].value == 0.7
    assert talk.state.experiences["breathing"].last_moods == (4, 6)
    assert talk.refused("ex_breathing_after_10") == "rating_closed"


def test_mood_after_the_end_earns_no_marker(talk):
    for verb in ("", "_before_4", "_complete"):
        talk.press(f"ex_breathing{verb}")
    assert talk.press("ex_breathing_after_6").elements == ()


def test_mood_before_is_not_noted_after_the_end(talk):
    for verb in ("", "_complete"):
        talk.press(f"ex_breathing{verb}")
    assert talk.refused("ex_breathing_before_0") == "exercise_not_started"


def test_mood_after_is_noted_within_a_day(talk):
    for verb in ("", "_complete"):
        talk.press(f"ex_breathing{verb}")
    talk.now += timedelta(days=1)
    assert talk.refused("ex_breathing_after_6") == "rating_closed"


def test_mood_is_no_button_where_it_makes_no_sense(talk):
    talk.press("ex_worry_time")
    assert talk.refused("ex_worry_time_before_3") == "unknown_element"


# --- the player's words ------------------------------------------------------------------------------


def test_words_are_conversation_until_a_step_is_asked_for(talk):
    talk.press("ex_thought_record")
    assert talk.write("I missed the bus.") is None


def test_words_are_the_answer_to_the_step(sheet):
    reply = sheet.write("I missed the bus.")
    assert (reply.role, reply.metadata["engine"]) == ("interactive", "exercise")
    assert reply.metadata["safety"].crisis is False
    assert ids(reply, "instruction") == ["ex_thought_record_step_2"]
    assert sheet.state.open_runs["thought_record"].walk.answers == {"situation": "I missed the bus."}


def test_after_the_last_answer_there_is_only_completing(sheet):
    for step in CATALOGUE["thought_record"].steps:
        reply = sheet.write(f"about {step.field}")
    assert [element.id for element in reply.elements] == ["ex_thought_record_complete"]
    assert "last question" in reply.text


def test_words_after_the_last_answer_are_conversation(sheet):
    for _ in CATALOGUE["thought_record"].steps:
        sheet.write("words")
    assert sheet.write("That was a lot.") is None
    assert set(sheet.state.open_runs["thought_record"].walk.answers.values()) == {"words"}


def test_last_answer_can_be_written_anew(sheet):
    for _ in CATALOGUE["thought_record"].steps:
        sheet.write("words")
    sheet.press("ex_thought_record_next")
    sheet.write("other words")
    assert sheet.state.open_runs["thought_record"].walk.answers["feeling_now"] == "other words"


def test_words_are_for_the_exercise_that_was_touched_last(sheet):
    sheet.press("ex_breathing")
    assert sheet.write("It is quiet here.") is None
    sheet.press("ex_thought_record_next")
    assert sheet.write("Always me.") is not None


def test_step_without_a_question_takes_no_words(talk):
    talk.press("ex_worry_time")
    talk.press("ex_worry_time_next")
    talk.write("The rent.")
    talk.write("At six.")
    assert talk.write("hello") is None


def test_words_in_danger_are_no_answer(sheet):
    sheet.assessment = Assessment(Level.ELEVATED, ("suicidal_ideation",))
    assert sheet.write("I want to die") is None


def test_low_words_are_an_answer_and_say_so(sheet):
    sheet.assessment = Assessment(Level.CHECK_IN)
    assert sheet.write("I am no good at anything").metadata["safety"].level == "check_in"


@pytest.mark.parametrize(("is_over", "is_taken"), [(False, False), (True, True)])
def test_words_are_no_answer_while_danger_is_talked_of(sheet, is_over, is_taken):
    sheet.state.episode = Episode(is_over=is_over)
    assert (sheet.write("I missed the bus.") is not None) is is_taken


@pytest.mark.parametrize(("danger", "hours"), [(True, 0), (False, 13)])
def test_after_danger_or_a_night_the_worksheet_waits_until_it_is_asked_for(sheet, danger, hours):
    sheet.state.talked_of_danger_at = sheet.now if danger else None
    sheet.now += timedelta(hours=hours, minutes=1)
    assert sheet.write("Thank you.") is None
    reply = sheet.press("ex_thought_record_next")
    assert ids(reply, "instruction") == ["ex_thought_record_step_1"]
    assert reply.text.startswith("This is where you left off.")
    assert sheet.write("I missed the bus.") is not None


# --- what suits --------------------------------------------------------------------------------------


def exercises_for(**limits: Any) -> set[str]:
    chosen = Limits(**{name: frozenset(names) for name, names in limits.items()})
    return set(suitable(CATALOGUE, PlayerState(7, limits=chosen)))


def test_nothing_noted_leaves_every_exercise_open():
    assert exercises_for() == set(CATALOGUE)


def test_contraindication_closes_what_it_speaks_against():
    against = {slug for slug, e in CATALOGUE.items() if "cardiac" in e.contraindications}
    assert set(CATALOGUE) - exercises_for(contraindications={"cardiac"}) == against != set()


def test_allowed_list_closes_all_others_but_grounding():
    assert exercises_for(allowed={"worry_time", "breathing"}) == {"worry_time", "breathing", "grounding"}


def test_denied_list_closes_what_is_on_it_but_grounding():
    assert set(CATALOGUE) - exercises_for(denied={"worry_time", "grounding"}) == {"worry_time"}


def test_denied_wins_over_allowed():
    assert exercises_for(allowed={"worry_time"}, denied={"worry_time"}) == {"grounding"}


def test_names_that_the_catalogue_has_dropped_are_no_exercise():
    assert suitable(["yoga", "breathing"], PlayerState(7)) == ("breathing",)


@pytest.mark.parametrize(
    ("kind", "slug"),
    [
        ("suicidal_ideation", "thought_record"),
        ("self_harm", "thought_record"),
        ("self_harm", "urge_surfing"),
        ("panic_attack", "box_breathing"),
    ],
)
def test_crisis_closes_what_it_speaks_against_until_it_is_over(kind, slug):
    state = PlayerState(7, episode=Episode(kind=kind))
    assert not is_suitable(CATALOGUE[slug], state)
    state.episode = Episode(kind=kind, is_over=True)
    assert is_suitable(CATALOGUE[slug], state)


def test_what_does_not_suit_is_not_started(talk):
    talk.state.limits = Limits(denied=frozenset({"breathing"}))
    assert talk.refused("ex_breathing") == "exercise_not_suitable"
    assert talk.state.open_runs == {}


@pytest.mark.parametrize(("language", "words"), [("en", "does not suit you"), ("es", "no es para ti")])
def test_refusal_is_kind_in_the_players_language(language, words):
    talk = Talk(limits=Limits(denied=frozenset({"breathing"})), settings=PlayerSettings(language=language))
    with pytest.raises(RefusedError) as refusal:
        talk.press("ex_breathing")
    assert words in refusal.value.text


def test_what_is_under_way_may_be_finished(talk):
    talk.press("ex_breathing")
    talk.state.limits = Limits(denied=frozenset({"breathing"}))
    assert ids(talk.press("ex_breathing_complete"), "progress")


def test_cautions_that_concern_the_player_come_first():
    allowed = frozenset({"withdrawal", "trauma"})
    slug = next(
        slug
        for slug, e in CATALOGUE.items()
        if any(allowed & set(c.when) for c in e.cautions[1:]) and not allowed & set(e.contraindications)
    )
    talk = Talk(limits=Limits(contraindications=allowed))
    instruction, _ = talk.press(f"ex_{slug}").elements
    concerning = next(c for c in CATALOGUE[slug].cautions if allowed & set(c.when))
    assert instruction.cautions[0] == concerning.text.en
    assert sorted(instruction.cautions) == sorted(c.text.en for c in CATALOGUE[slug].cautions)
    assert instruction.label.index(concerning.text.en) < instruction.label.index(instruction.cautions[1])


# --- the safety plan ---------------------------------------------------------------------------------


def test_safety_plan_is_the_players_own_words_by_step():
    state = PlayerState(7, safety_plan={"warning_signs": "I stop answering", "people_to_ask": "Jo, 555"})
    (plan,) = practice.safety_plan(state)
    assert (plan.id, plan.title) == ("safety_plan", "Your safety plan")
    assert [step.text for step in plan.steps] == [
        "How do you notice that it is starting? I stop answering",
        "Whom would you tell? Jo, 555",
    ]


def test_without_words_there_is_no_safety_plan():
    assert practice.safety_plan(PlayerState(7)) == ()


def test_safety_plan_that_can_not_be_shown_stands_in_nobodys_way(monkeypatch):
    monkeypatch.setattr(practice, "_plan", lambda *_: SimpleNamespace().nothing)
    assert practice.safety_plan(PlayerState(7, safety_plan={"warning_signs": "x"})) == ()


def test_completed_plan_is_kept_and_a_later_click_hides_nothing(talk):
    talk.press("ex_safety_plan")
    talk.press("ex_safety_plan_next")
    talk.write("I stop answering")
    assert talk.press("ex_safety_plan_complete").text.startswith("Your plan is kept.")
    talk.press("ex_safety_plan")
    assert talk.press("ex_safety_plan_complete").text.startswith("Done.")
    assert talk.state.safety_plan == {"warning_signs": "I stop answering"}
