"""Builders of elements, and the reader of their ids."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from therapy.elements import ExerciseAction, InteractiveElementHandler, Verb, parse_element_id
from therapy.exercises.catalogue import CATALOGUE, Exercise
from therapy.messages import Button, ElementId, Instruction, Language, Resource

LANGUAGES: tuple[Language, ...] = get_args(Language)
elements = InteractiveElementHandler()

each_exercise = pytest.mark.parametrize("exercise", CATALOGUE.values(), ids=list(CATALOGUE))
each_language = pytest.mark.parametrize("language", LANGUAGES)


def ids(built: list[Button]) -> list[str]:
    return [button.id for button in built]


# --- ids -------------------------------------------------------------------------------------------

steering = st.builds(
    ExerciseAction,
    st.sampled_from(sorted(CATALOGUE)),
    st.sampled_from(["start", "complete", "next", "back", "stop"]),
)
ratings = st.builds(
    ExerciseAction,
    st.sampled_from(sorted(CATALOGUE)),
    st.sampled_from(["before", "after"]),
    st.integers(0, 10),
)


@given(steering | ratings)
def test_what_is_written_as_an_id_is_read_back(action: ExerciseAction) -> None:
    assert parse_element_id(action.element_id) == action


@given(st.text(max_size=70) | st.from_regex(r"ex_[a-z_]{0,30}(_[a-z]+)?(_[0-9]{1,3})?", fullmatch=True))
def test_an_id_that_is_read_is_written_the_same(element_id: str) -> None:
    action = parse_element_id(element_id)
    assert action is None or action.element_id == element_id


@pytest.mark.parametrize(
    "element_id",
    [
        "",
        "ex_",
        "breathing",
        "ex_yoga",
        "ex_yoga_complete",
        "ex_breathing_steps",
        "ex_breathing_start",
        "ex_breathing_step_1",
        "ex_breathing_complete_3",
        "ex_breathing_before",
        "ex_breathing_before_11",
        "ex_breathing_before_07",
        "ex_breathing_before_٣",
        "ex_breathing_before_-1",
        "ex_breathing\n",
        "EX_BREATHING",
        "ex_box",
        "xex_breathing",
    ],
)
def test_what_is_no_action_is_read_as_none(element_id: str) -> None:
    assert parse_element_id(element_id) is None


def test_slugs_with_underscores_are_read_whole() -> None:
    assert parse_element_id("ex_box_breathing_next") == ExerciseAction("box_breathing", "next")
    assert parse_element_id("ex_self_compassion_break") == ExerciseAction("self_compassion_break", "start")


def test_no_slug_with_a_verb_is_another_slug() -> None:
    assert not {f"{slug}_{verb}" for slug in CATALOGUE for verb in get_args(Verb)} & set(CATALOGUE)


# --- starting --------------------------------------------------------------------------------------


def test_older_clients_find_the_two_buttons_they_know() -> None:
    assert elements.exercise_buttons(["breathing", "grounding"], "en") == [
        Button(id="ex_breathing", label="Try 4-7-8 breathing"),
        Button(id="ex_grounding", label="5-4-3-2-1 grounding"),
    ]


def test_buttons_speak_the_players_language() -> None:
    assert elements.exercise_buttons(["breathing"], "es")[0].label == "Probar la respiración 4-7-8"


def test_an_exercise_the_catalogue_lacks_gets_no_button() -> None:
    with pytest.raises(KeyError):
        elements.exercise_buttons(["yoga"], "en")


@each_exercise
@each_language
def test_a_start_gives_one_instruction_and_the_button_that_completes(
    exercise: Exercise, language: Language
) -> None:
    instruction, button = elements.start(exercise, language)
    assert isinstance(instruction, Instruction)
    assert isinstance(button, Button)
    assert (instruction.id, button.id) == (f"ex_{exercise.slug}_steps", f"ex_{exercise.slug}_complete")


@each_exercise
@each_language
def test_an_instruction_holds_all_steps_with_their_seconds(exercise: Exercise, language: Language) -> None:
    instruction = elements.start(exercise, language)[0]
    assert isinstance(instruction, Instruction)
    assert [step.seconds for step in instruction.steps] == [step.seconds for step in exercise.steps]
    assert (instruction.cycles, instruction.duration_seconds) == (exercise.cycles, exercise.duration_seconds)
    assert len(instruction.cautions) == len(exercise.cautions)


@each_exercise
@each_language
def test_the_label_says_cautions_first_and_then_every_step(exercise: Exercise, language: Language) -> None:
    instruction = elements.start(exercise, language)[0]
    assert isinstance(instruction, Instruction)
    parts = [instruction.title, *instruction.cautions, *(step.text for step in instruction.steps)]
    places = [instruction.label.index(part) for part in parts]
    assert places == sorted(places)


@each_exercise
def test_the_questions_of_a_worksheet_stand_in_the_instruction(exercise: Exercise) -> None:
    instruction = elements.start(exercise, "en")[0]
    prompts = [step.prompt for step in exercise.localized("en").steps if step.prompt]
    assert all(prompt in instruction.label for prompt in prompts)


def test_the_label_says_how_often_and_how_long() -> None:
    label = elements.start(CATALOGUE["breathing"], "en")[0].label
    assert "(7 seconds)" in label
    assert "Go through the steps 4 times." in label
    assert label.endswith("About 1 minute.")


def test_one_second_is_said_in_the_singular() -> None:
    assert "(1 second)" in elements.start(CATALOGUE["cyclic_sighing"], "en")[0].label
    assert "(1 segundo)" in elements.start(CATALOGUE["cyclic_sighing"], "es")[0].label


def test_the_length_is_said_in_whole_minutes() -> None:
    assert elements.start(CATALOGUE["grounding"], "es")[0].label.endswith("Unos 3 minutos.")


# --- walking ---------------------------------------------------------------------------------------


def walking(slug: str, index: int, language: Language = "en") -> tuple[Instruction, list[str]]:
    instruction, *buttons = elements.step(CATALOGUE[slug], index, language)
    assert isinstance(instruction, Instruction)
    return instruction, [button.id for button in buttons]


def test_the_first_step_warns_and_leads_on() -> None:
    instruction, buttons = walking("grounding", 0)
    assert instruction.cautions == list(CATALOGUE["grounding"].localized("en").cautions)
    assert buttons == ["ex_grounding_next", "ex_grounding_stop"]


def test_a_middle_step_leads_both_ways() -> None:
    instruction, buttons = walking("grounding", 2)
    assert (len(instruction.steps), instruction.steps[0].seconds, instruction.cautions) == (1, 35, [])
    assert instruction.id == "ex_grounding_step_3"
    assert buttons == ["ex_grounding_back", "ex_grounding_next", "ex_grounding_stop"]


def test_the_last_step_completes() -> None:
    assert walking("grounding", 4)[1] == ["ex_grounding_back", "ex_grounding_complete", "ex_grounding_stop"]


def test_the_last_step_of_a_paced_exercise_says_to_begin_again() -> None:
    assert "4 times" in walking("breathing", 2)[0].steps[0].text
    assert "4 times" not in walking("breathing", 1)[0].steps[0].text


def test_a_worksheet_step_asks_its_question() -> None:
    text = walking("thought_record", 1)[0].steps[0].text
    assert "What went through your mind?" in text
    assert text.endswith("Write your answer as a message.")


def test_mood_is_rated_on_eleven_buttons() -> None:
    buttons = elements.mood_buttons(CATALOGUE["grounding"], "before", "en")
    assert ids(buttons) == [f"ex_grounding_before_{mood}" for mood in range(11)]
    assert (buttons[0].label, buttons[7].label, buttons[10].label) == ("0: very bad", "7", "10: very good")


@each_exercise
def test_every_built_id_is_a_well_formed_element_id(exercise: Exercise) -> None:
    built = [*elements.start(exercise, "en"), *elements.mood_buttons(exercise, "after", "en")]
    for index in range(len(exercise.steps)):
        built += elements.step(exercise, index, "en")
    for element in built:
        TypeAdapter(ElementId).validate_python(element.id)


@each_exercise
def test_every_built_button_can_be_pressed(exercise: Exercise) -> None:
    built = [*elements.start(exercise, "es"), *elements.step(exercise, 0, "es")]
    pressed = [parse_element_id(element.id) for element in built if isinstance(element, Button)]
    assert all(action and action.slug == exercise.slug for action in pressed)


# --- the others ------------------------------------------------------------------------------------


def test_progress_carries_the_marker() -> None:
    progress = elements.progress("pm_1", "You did it", "SKILL_ACQUIRED", 0.5)
    assert (progress.id, progress.marker_type, progress.therapeutic_value) == ("pm_1", "SKILL_ACQUIRED", 0.5)


def test_a_helpline_named_twice_is_shown_once_in_its_first_place() -> None:
    first, second = (
        Resource(id=name, label=name, method="phone", info="988", link="tel:988")
        for name in ("us_988", "us_911")
    )
    assert elements.resources([first, second, first]) == [first, second]


def test_recommendations_keep_rank_and_reason_and_can_be_pressed() -> None:
    ranked = [("grounding", "you rated it 5 of 5 after panic"), ("breathing", "it is short")]
    built = elements.recommendations(ranked, "es")
    assert [(r.id, r.label, r.reason) for r in built] == [
        ("ex_grounding", "Anclaje 5-4-3-2-1", "you rated it 5 of 5 after panic"),
        ("ex_breathing", "Respiración 4-7-8", "it is short"),
    ]
