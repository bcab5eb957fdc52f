"""What is shown in a crisis: who can help now, in which order, and what holds until then. No database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from therapy.crisis import response
from therapy.crisis.assessment import CALM, CRISIS_TYPES, Assessment, Heard, Level, Reason
from therapy.crisis.helplines import HELPLINES, helplines_for
from therapy.crisis.response import (
    UNASSESSED,
    CrisisReply,
    allowed_contacts,
    assess_whatever_happens,
    respond,
    respond_whatever_happens,
)
from therapy.exercises.catalogue import in_crisis
from therapy.messages import Button, Resource

NIGHT = datetime(2026, 11, 22, 3, tzinfo=UTC)
HIGH = Assessment(Level.HIGH, ("suicidal_ideation",), (Reason("kill_self", 0, 9),))
IMMINENT = Assessment(Level.IMMINENT, ("suicidal_ideation",))
PANIC = Assessment(Level.ELEVATED, ("panic_attack",))
LEVELS = [level for level in Level if level >= Level.ELEVATED]
COUNTRIES = sorted({line.country for line in HELPLINES})
MEANT_FOR_A_CRISIS = {f"ex_{exercise.slug}" for exercise in in_crisis()}


def reply_to(assessment: Assessment, text: str = "", episode=None, **where) -> CrisisReply:
    told = {"country": "US", "language": "en", "at": NIGHT, **where}
    reply = respond(assessment, text, episode, **told)
    assert reply is not None
    return reply


def resources(reply: CrisisReply) -> list[Resource]:
    return [element for element in reply.elements if isinstance(element, Resource)]


def buttons(reply: CrisisReply) -> list[str]:
    return [element.id for element in reply.elements if isinstance(element, Button)]


# --- whether it answers ------------------------------------------------------------------------------


@pytest.mark.parametrize("assessment", [CALM, Assessment(Level.CHECK_IN)])
def test_calm_and_low_mood_are_left_to_the_normal_conversation(assessment):
    assert respond(assessment, "Hello", None, country="US", language="en", at=NIGHT) is None


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", CRISIS_TYPES)
def test_every_danger_gets_words_and_help(kind, level):
    reply = reply_to(Assessment(level, (kind,)))
    assert reply.text
    assert resources(reply)
    assert reply.assessment.is_crisis


def test_calm_reply_in_an_episode_is_answered():
    reply = reply_to(CALM, "I don't know", reply_to(HIGH).episode)
    assert reply.text
    assert reply.episode is not None
    assert reply.episode.turns == 2


def test_after_signs_of_safety_the_normal_conversation_goes_on():
    episode = reply_to(PANIC).episode
    ended = reply_to(CALM, "My sister is here with me, I'm safe now", episode)
    assert ended.episode is not None
    assert ended.episode.is_over
    assert respond(CALM, "We cook", ended.episode, country="US", language="en", at=NIGHT) is None


def test_danger_after_signs_of_safety_is_answered_again():
    ended = reply_to(CALM, "My sister is here with me, I'm safe now", reply_to(PANIC).episode)
    again = reply_to(HIGH, "I want to die", ended.episode)
    assert resources(again)
    assert again.episode is not None
    assert not again.episode.is_over


# --- how grave a reply is ----------------------------------------------------------------------------


def test_no_to_being_safe_is_graver_than_its_word():
    first = reply_to(HIGH)
    assert first.episode is not None
    assert first.episode.asked == "safe"
    reply = reply_to(CALM, "no", first.episode)
    assert reply.assessment.level == Level.IMMINENT
    assert reply.assessment.types == ("suicidal_ideation",)
    assert [reason.rule for reason in reply.assessment.reasons] == ["reply.safe"]


def test_sign_of_safety_that_ends_it_is_no_crisis_whatever_was_found_in_its_words():
    found = Assessment(Level.ELEVATED, ("panic_attack",))
    reply = reply_to(found, "I'm safe now", reply_to(PANIC).episode)
    assert reply.episode is not None
    assert reply.episode.is_over
    assert reply.assessment.level == Level.CHECK_IN


def test_calm_reply_that_tells_nothing_stays_calm():
    assert reply_to(CALM, "I don't know", reply_to(HIGH).episode).assessment == CALM


def test_reply_that_makes_danger_imminent_shows_the_emergency_number_first():
    reply = reply_to(CALM, "no", reply_to(HIGH).episode)
    assert resources(reply)[0].emergency


# --- who can help ------------------------------------------------------------------------------------


@pytest.mark.parametrize("country", COUNTRIES)
def test_emergency_number_is_first_where_danger_is_imminent_and_last_where_it_is_not(country):
    assert resources(reply_to(IMMINENT, country=country))[0].emergency
    calmer = resources(reply_to(PANIC, country=country))
    assert (calmer[0].emergency, calmer[-1].emergency) == (False, True)


@pytest.mark.parametrize("country", ["", "US"])
def test_country_that_is_not_set_counts_as_the_us(country):
    assert "988" in [resource.info for resource in resources(reply_to(HIGH, country=country))]


def test_country_without_lines_gets_the_emergency_number_and_a_directory():
    shown = resources(reply_to(HIGH, country="AQ"))
    assert {resource.id.split("_")[1] for resource in shown} == {"zz"}
    assert shown[-1].emergency


@pytest.mark.parametrize("country", COUNTRIES)
def test_what_is_shown_is_what_is_chosen_in_its_order(country):
    chosen = helplines_for(country=country, types=PANIC.types, language="en", at=NIGHT)
    reply = reply_to(PANIC, country=country)
    assert [resource.id for resource in resources(reply)] == [line.id for line in chosen]
    assert reply.resource_ids == tuple(line.id for line in chosen)


def test_line_for_what_was_found_comes_first():
    shown = resources(reply_to(Assessment(Level.ELEVATED, ("abuse",))))
    lines = {line.id: line for line in HELPLINES}
    assert "abuse" in lines[shown[0].id].types


def test_line_is_shown_while_it_is_open():
    line = next(line for line in HELPLINES if line.hours != "24/7" and not line.types)
    hours = [NIGHT + timedelta(hours=n) for n in range(24 * 7)]
    shown = [line.id in reply_to(HIGH, at=at, country=line.country).resource_ids for at in hours]
    assert shown == [line.is_open(at) for at in hours]
    assert len(set(shown)) == 2


def test_lines_in_the_players_language_come_first():
    lines = {line.id: line for line in HELPLINES}
    shown = [lines[resource.id] for resource in resources(reply_to(HIGH, language="es"))]
    speaks = ["es" in line.languages for line in shown if not line.emergency]
    assert speaks == sorted(speaks, reverse=True)
    assert speaks[0]


def test_words_are_in_the_players_language():
    assert "¿" in reply_to(HIGH, language="es").text
    assert "¿" not in reply_to(HIGH, language="en").text


def test_type_of_the_episode_chooses_the_lines_of_its_later_turns():
    abuse = reply_to(Assessment(Level.HIGH, ("abuse",)))
    later = reply_to(CALM, "yes he is here", abuse.episode)
    assert resources(later)[1].id == resources(abuse)[0].id


# --- what holds until then ---------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", CRISIS_TYPES)
def test_exercises_are_those_meant_for_a_crisis_and_stand_below_the_help(kind, level):
    reply = reply_to(Assessment(level, (kind,)))
    assert set(buttons(reply)) <= MEANT_FOR_A_CRISIS
    kinds = [element.type for element in reply.elements]
    assert kinds == ["resource"] * len(resources(reply)) + ["button"] * len(buttons(reply))


# --- whatever happens --------------------------------------------------------------------------------


def failing(*args, **kwargs):
    raise RuntimeError("zanzibar")


def whatever_happens(**where) -> CrisisReply:
    told = {"country": "US", "language": "en", "at": NIGHT, **where}
    return respond_whatever_happens(HIGH, "", None, **told)


def test_nothing_changes_where_nothing_happens():
    assert whatever_happens() == reply_to(HIGH)


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("target", ["answer", "_elements"])
def test_composer_at_fault_leaves_words_and_help(monkeypatch, target, language):
    monkeypatch.setattr(response, target, failing)
    reply = whatever_happens(language=language, country="GB")
    assert reply.text == response._LAST_WORDS[language]
    assert resources(reply)[0].emergency
    assert "116 123" in [resource.info for resource in resources(reply)]
    assert reply.resource_ids == tuple(resource.id for resource in resources(reply))
    assert reply.assessment == HIGH


def test_last_words_ask_once_name_a_person_and_say_they_are_none():
    for words in response._LAST_WORDS.values():
        assert words.count("?") == 1
    assert "not a person" in response._LAST_WORDS["en"]
    assert "No soy una persona" in response._LAST_WORDS["es"]


def test_fault_is_logged_without_its_words(monkeypatch, capfd):
    monkeypatch.setattr(response, "answer", failing)
    whatever_happens()
    assert_logged("crisis_answer_failed", capfd)


def assert_logged(event: str, capfd) -> None:
    logged = "".join(capfd.readouterr())
    assert event in logged
    assert "RuntimeError" in logged
    assert "zanzibar" not in logged


def test_failing_detector_is_taken_for_danger(capfd):
    assert assess_whatever_happens(failing, "zanzibar", (Heard("Hello"),)) == UNASSESSED
    assert UNASSESSED.is_crisis
    assert (UNASSESSED.level, UNASSESSED.types) == (Level.ELEVATED, ("general_distress",))
    assert [reason.rule for reason in UNASSESSED.reasons] == ["detector_failed"]
    assert_logged("detector_failed", capfd)


def test_detector_that_works_is_heeded():
    asked = []

    def assess(text, heard):
        asked.append((text, heard))
        return PANIC

    assert assess_whatever_happens(assess, "Hello", ()) is PANIC
    assert asked == [("Hello", ())]


def test_every_contact_of_the_helplines_may_be_named_by_an_engine():
    assert {"988", "tel:988"} <= allowed_contacts()
    assert len(allowed_contacts()) >= len({line.info for line in HELPLINES})
