"""Every written answer against the dimensions of docs/crisis-answers.md, and the turns of an episode."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from therapy.crisis.answers import _EXERCISES, CrisisAnswer, Episode, answer, follow_up, heaviest
from therapy.crisis.assessment import CALM, CRISIS_TYPES, Assessment, CrisisType, Level
from therapy.crisis.helplines import HELPLINES, Helpline, helplines_for
from therapy.crisis.paragraphs import LANGUAGES, SPOKEN
from therapy.messages import Language

NIGHT = datetime(2026, 11, 22, 3, tzinfo=UTC)
LEVELS = [level for level in Level if level]
COUNTRIES = sorted({row.country for row in HELPLINES})
LIFE: CrisisType = "suicidal_ideation"

#: What each dimension looks like in words. A word list can't judge tone; the table in the docs says who read it.
NOTICES = {
    "en": r"I hear|serious|I'm glad|sounds|I'm (here|staying) with you|believe you|Nobody has the right|Please call|you are badly hurt|took more|Thank you",
    "es": r"Veo|Noto|en serio|Qué bien|me alegra|suena|Suena|[Pp]arece|[Ee]stoy contigo|[Mm]e quedo contigo|Te creo|Nadie tiene|Llama|herida grave|Si tomaste|Gracias|Eso da",
}
LEADING = {
    "en": r"aren't you|you're not|you are not|isn't it|don't you|, (are|do|will|would) you\?|, right\?|, no\?|surely",
    "es": r"¿verdad|, ¿no\?|no es así|a que no|seguro que no",
}
AT_ALL_HOURS = {
    "en": r"day and night|at any hour|day or night",
    "es": r"de día y de noche|a cualquier hora|de día o de noche",
}
A_HUMAN = {
    "en": r"\bperson|people|somebody|\bline\b|neighbour|a voice|anybody|they are|\bthey\b|\bthem\b",
    "es": r"persona|\balguien|\blínea|\bgente\b|vecina|\bvoz\b",
}
STAYS = {
    "en": r"I'm (here|staying|still)|staying with you|I'm with you|here when you|waiting|wait",
    "es": r"[Mm]e quedo|[Aa]quí (estoy|sigo|estaré)|[Ee]stoy (contigo|aquí)|sigo (aquí|contigo)|[Ss]igo|te espero",
}
LEAVES = {
    "en": r"can't help you|have to go|end this chat|goodbye|can't talk about (this|that)|not able to discuss",
    "es": r"no puedo ayudarte|tengo que irme|adiós|no puedo hablar de eso|termino este chat",
}
VALIDATES_HARM = {
    "en": r"makes sense (to|that)|understand why you (want|would)|your (own )?right to|best for everyone|okay to (hurt|die|harm)|no one would blame|good idea|deserve to (hurt|die)",
    "es": r"tiene sentido (que quieras|morir)|entiendo que quieras (morir|hacerte)|tienes derecho a (morir|hacerte)|lo mejor para todos|buena idea|mereces (sufrir|morir)",
}
PROMISES = {
    "en": r"secret|confidential|between us|won't tell|nobody will know|promise|guarantee|cure|will be (okay|fine|alright)|will (get better|pass)|always be here",
    "es": r"secreto|confidencial|entre nosotros|no se lo diré|nadie lo sabrá|promet|garantiz|curar|todo (irá|va a ir|saldrá)|va a pasar|pasará|siempre estaré",
}
NO_PERSON = {"en": r"a program\b", "es": r"un programa\b"}
DISTANCE = {
    "en": r"[Gg]et(ting)? away|[Aa]way from|out of reach|distance|[Ll]eave|nothing close|put the rest|behind what",
    "es": r"[Aa]léja|distancia|lejos|aléjate",
}
COMPANY = {
    "en": r"[Ss]omebody|people|neighbour|nearest person|anybody|at your side|a person|hand your phone",
    "es": r"alguien|gente|persona|vecina|a tu lado",
}
METHODS = r"\b(pills?|tablets?|rope|noose|hang(ing)? (your|my)self|guns?|firearm|knife|blades?|razor|jump\w*|drown\w*|overdose|poison|bridge|pastillas?|cuerda|soga|pistola|cuchill\w+|navaja|saltar|ahog\w+|veneno|sobredosis|puente)\b"
LABELS = r"disorder|diagnos|symptom|trastorno|diagnóstic|síntoma|you have (depression|PTSD)|so brave|proud of you|qué valiente"


def lines_of(country: str | None, language: Language, *types: CrisisType) -> tuple[Helpline, ...]:
    return helplines_for(country=country, types=types, language=language, at=NIGHT)


def openings(language: Language, country: str | None = "US") -> Iterator[tuple[str, Level, CrisisType, str]]:
    """Every first answer, as a player in this country reads it."""
    for kind in CRISIS_TYPES:
        for level in LEVELS:
            said = answer(
                Assessment(level, (kind,)), language=language, lines=lines_of(country, language, kind)
            )
            yield f"{language} {kind} {level.label}", level, kind, said.text


def paragraphs(language: Language, *prefixes: str) -> Iterator[tuple[str, str]]:
    """Every other paragraph whose name begins so, its slots filled for the United States."""
    answers = SPOKEN[language]
    for name, pool in answers.pools.items():
        if name.startswith(prefixes or ""):
            for number, text in enumerate(pool):
                yield f"{language} {name}.{number}", answers.words.fill(text, lines_of("US", language))


def everything(language: Language) -> Iterator[tuple[str, str]]:
    yield from ((where, text) for where, _, _, text in openings(language))
    yield from paragraphs(language)


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> Language:
    chosen: Language = request.param
    return chosen


# --- the dimensions, over every answer ---------------------------------------------------------------


def test_every_opening_notices_what_was_said(language: Language) -> None:
    for where, _, _, text in openings(language):
        assert re.search(NOTICES[language], text.split("\n\n")[0]), where


def test_every_opening_asks_exactly_once(language: Language) -> None:
    for where, _, _, text in openings(language):
        assert text.count("?") == 1, where


def test_every_question_is_one_question(language: Language) -> None:
    for where, text in paragraphs(language, "question."):
        assert text.count("?") == 1, where


def test_nothing_said_beside_a_question_asks_another(language: Language) -> None:
    for where, text in paragraphs(language, "again.", "reaction.", "reply.", "closing."):
        assert "?" not in text, where
    for where, text in paragraphs(language, "stay.", "hold."):
        assert text.count("?") <= 1, where


def test_no_question_leads(language: Language) -> None:
    for where, text in everything(language):
        assert not re.search(LEADING[language], text, re.IGNORECASE), where


def test_every_opening_names_help_at_all_hours_and_a_human(language: Language) -> None:
    for country in COUNTRIES:
        for where, _, _, text in openings(language, country):
            assert re.search(AT_ALL_HOURS[language], text), (where, country)
            assert re.search(A_HUMAN[language], text), (where, country)


def test_every_opening_but_a_gentle_question_names_a_line_and_how_to_reach_it(language: Language) -> None:
    for where, level, kind, text in openings(language):
        shown = lines_of("US", language, kind)
        assert any(line.info in text for line in shown) is (level > Level.CHECK_IN), where


def test_every_other_paragraph_keeps_a_human_within_reach(language: Language) -> None:
    for where, text in paragraphs(language, "again.", "reaction.", "reply.", "stay.", "hold.", "closing."):
        assert re.search(A_HUMAN[language], text), where


def test_every_opening_says_that_it_stays(language: Language) -> None:
    for where, _, _, text in openings(language):
        assert re.search(STAYS[language], text), where
    for where, text in paragraphs(
        language, "again.imminent", "again.threatened", "reply.unsafe", "reply.threatened"
    ):
        assert re.search(STAYS[language], text), where


def test_nothing_turns_the_player_away(language: Language) -> None:
    for where, text in everything(language):
        assert not re.search(LEAVES[language], text, re.IGNORECASE), where


def test_nothing_validates_harm(language: Language) -> None:
    for where, text in everything(language):
        assert not re.search(VALIDATES_HARM[language], text, re.IGNORECASE), where


def test_nothing_promises_secrecy_or_a_cure(language: Language) -> None:
    for where, text in everything(language):
        assert not re.search(PROMISES[language], text, re.IGNORECASE), where


def test_every_opening_and_every_return_to_danger_says_it_is_no_person(language: Language) -> None:
    for where, _, _, text in openings(language):
        assert re.search(NO_PERSON[language], text), where
    for where, text in paragraphs(
        language, "again.", "closing.", "reply.unsafe", "reply.threatened", "reply.shown"
    ):
        assert re.search(NO_PERSON[language], text), where


def test_imminent_danger_gets_emergency_services_company_and_distance(language: Language) -> None:
    imminent = [(where, text) for where, level, _, text in openings(language) if level == Level.IMMINENT]
    again = paragraphs(
        language, "again.imminent", "again.threatened", "hold.", "reply.unsafe", "reply.threatened"
    )
    for where, text in [*imminent, *again]:
        assert "911" in text, where
        assert re.search(COMPANY[language], text), where
        assert re.search(DISTANCE[language], text), where


def test_imminent_openings_begin_with_the_emergency_call(language: Language) -> None:
    for where, level, _, text in openings(language):
        if level == Level.IMMINENT:
            assert "911" in re.split(r"[.:] ", text)[0], where


def test_gentle_questions_raise_no_alarm(language: Language) -> None:
    for where, level, _, text in openings(language):
        if level == Level.CHECK_IN:
            assert not re.search(r"911|emergenc|danger|peligro", text), where


def test_nothing_names_a_method_or_a_disorder(language: Language) -> None:
    for where, text in everything(language):
        assert not re.search(METHODS, text, re.IGNORECASE), where
        assert not re.search(LABELS, text, re.IGNORECASE), where


def test_every_opening_is_short_in_every_country(language: Language) -> None:
    for country in COUNTRIES:
        for where, _, _, text in openings(language, country):
            assert len(text.split()) <= 90, (where, country)


def test_every_paragraph_leaves_room_for_a_question(language: Language) -> None:
    longest = max(len(text.split()) for _, text in paragraphs(language, "question."))
    for where, text in paragraphs(language, "again.", "reaction.", "reply.", "stay.", "hold.", "closing."):
        assert len(text.split()) + longest <= 90, where


def test_no_two_paragraphs_are_the_same(language: Language) -> None:
    texts = [part for _, text in everything(language) for part in text.split("\n\n")]
    said = [
        part
        for part in texts
        if "día y de noche, y te puedo" not in part and "day and night, and I can" not in part
    ]
    assert len(said) == len(set(said))


def test_spanish_says_tu() -> None:
    for where, text in everything("es"):
        assert not re.search(r"\b(usted\w*|vosotr\w+|vos|ustedes|su vida|vaya)\b", text, re.IGNORECASE), where


def test_violence_by_others_never_sends_to_whoever_is_nearest(language: Language) -> None:
    nearest = r"nearest|hand your phone|[Oo]pen the door|más cerca|dale el teléfono|[Aa]bre la puerta"
    abuse = [(where, text) for where, _, kind, text in openings(language) if kind == "abuse"]
    for where, text in [
        *abuse,
        *paragraphs(language, "again.threatened", "hold.threatened", "reply.threatened"),
    ]:
        assert not re.search(nearest, text), where


# --- what is answered when ---------------------------------------------------------------------------


def found(level: Level, *types: CrisisType) -> Assessment:
    return Assessment(level, types or (LIFE,))


def begin(level: Level = Level.HIGH, *types: CrisisType, language: Language = "en") -> Episode:
    return answer(found(level, *types), language=language).episode


def reply(
    episode: Episode, text: str, assessment: Assessment = CALM, language: Language = "en"
) -> CrisisAnswer:
    said = follow_up(assessment, text, episode, language=language)
    assert said is not None
    return said


def hear(episode: Episode, *texts: str, language: Language = "en") -> CrisisAnswer:
    for text in texts:
        said = reply(episode, text, language=language)
        episode = said.episode
    return said


def test_the_same_turns_give_the_same_words() -> None:
    assert hear(begin(), "idk", "no") == hear(begin(), "idk", "no")


def test_danger_to_life_decides_the_words() -> None:
    assert heaviest(("panic_attack", "severe_depression", "suicidal_ideation")) == "suicidal_ideation"
    assert heaviest(()) == "general_distress"


def test_a_gentle_question_shows_no_resources_and_the_levels_above_do() -> None:
    shown = [answer(found(level), language="en").shows_resources for level in LEVELS]
    assert shown == [False, True, True, True]


def test_exercises_hold_no_breath_and_ask_no_exertion() -> None:
    gentle = {"grounding", "self_compassion_break", "resonance_breathing"}
    assert {slug for slugs in _EXERCISES.values() for slug in slugs} <= gentle


def test_words_can_do_without_a_helpline() -> None:
    text = answer(found(Level.HIGH), language="en").text
    assert "The lines shown here are answered by trained people" in text
    assert "your local emergency number" in text


def test_country_without_rows_hears_of_its_own_emergency_number() -> None:
    text = answer(found(Level.IMMINENT), language="es", lines=lines_of("PE", "es")).text
    assert "al número de emergencias de tu país" in text
    assert "findahelpline.com" in text


def test_line_that_is_not_always_open_is_not_said_to_be() -> None:
    noon = datetime(2026, 11, 22, 17, tzinfo=UTC)
    chat = [line for line in helplines_for(country="AT", language="es", at=noon) if line.method == "chat"]
    assert chat
    assert "onlineberatung" not in answer(found(Level.HIGH), language="es", lines=chat).text


def test_unknown_language_is_answered_in_english() -> None:
    assert answer(found(Level.HIGH), language="fr").text == answer(found(Level.HIGH), language="en").text  # type: ignore[arg-type]


# --- the turns that follow ---------------------------------------------------------------------------


def test_calm_message_after_danger_stays_with_the_danger() -> None:
    said = reply(begin(), "the soup was good today, I had two bowls of it")
    assert not said.is_over
    assert said.episode.asked == "company"


def test_questions_come_one_at_a_time_and_each_once() -> None:
    episode, asked = begin(), []
    for _ in range(8):
        said = reply(episode, "the soup was good today, I had two bowls of it")
        episode = said.episode
        asked.append(episode.asked)
    assert asked[:4] == ["company", "means", "human", ""]
    assert set(asked[4:]) == {""}


def test_nobody_there_leads_to_who_could_be() -> None:
    assert hear(begin(), "yes", "no, nobody").episode.asked == "who"


def test_not_safe_raises_to_imminent_and_names_the_emergency_number() -> None:
    said = follow_up(CALM, "no", begin(), language="en", lines=lines_of("US", "en"))
    assert said is not None
    assert said.episode.level == Level.IMMINENT
    assert "911" in said.text
    assert said.shows_resources


def test_not_safe_is_heard_although_the_words_hold_danger_too() -> None:
    said = reply(begin(), "no, I want to die", found(Level.HIGH))
    assert said.episode.level == Level.IMMINENT


def test_yes_to_thoughts_of_dying_raises_the_level() -> None:
    said = reply(begin(Level.ELEVATED), "yes")
    assert (said.episode.level, said.episode.asked) == (Level.HIGH, "safe")


def test_yes_to_thoughts_is_not_answered_twice_in_the_same_words() -> None:
    first = reply(begin(Level.ELEVATED), "yes")
    over = hear(first.episode, "I'm safe now, my sister is here").episode
    again = answer(found(Level.ELEVATED), language="en", episode=over).episode
    asked_again = Episode.from_json(again.to_json() | {"asked": "thoughts"})
    assert reply(asked_again, "yes").text != first.text


@pytest.mark.parametrize(
    "told",
    [
        "I'm safe now and my sister is here",
        "I called 988, I feel calmer",
        "my mom is with me and I put it away",
    ],
)
def test_two_signs_of_safety_end_an_episode_with_the_door_open(told: str) -> None:
    said = reply(begin(), told)
    assert said.is_over
    assert said.episode.is_over
    assert re.search(r"day (and|or) night|at any hour", said.text)
    assert follow_up(CALM, "thanks", said.episode, language="en") is None


def test_last_words_take_up_the_sign_that_was_given() -> None:
    assert "talked to a person" in reply(begin(), "I called 988, I feel calmer").text
    assert "somebody is with you" in reply(begin(), "my mom is with me and I feel calmer").text
    assert "you are safe now" in reply(begin(Level.ELEVATED), "I'm safe now").text


@pytest.mark.parametrize("told", ["I'm safe now", "my sister is here", "I called 988"])
def test_one_sign_does_not_end_a_grave_episode(told: str) -> None:
    assert not reply(begin(Level.HIGH), told).is_over


def test_one_plain_sign_ends_an_elevated_episode() -> None:
    assert reply(begin(Level.ELEVATED, "panic_attack"), "I feel calmer now").is_over


def test_yes_to_a_question_alone_does_not_end_it_at_once() -> None:
    said = reply(begin(Level.ELEVATED, "panic_attack"), "yes")
    assert not said.is_over
    assert hear(said.episode, "the soup was good today and I had some more").is_over


def test_one_sign_and_calm_turns_end_a_high_episode() -> None:
    soup = "the soup was good today and I had some more"
    assert hear(begin(), "yes", soup).is_over is False
    assert hear(begin(), "yes", soup, soup).is_over


def test_imminent_danger_ends_only_with_a_person_in_it() -> None:
    assert not reply(begin(Level.IMMINENT), "I put it away, I'm safe now").is_over
    assert reply(begin(Level.IMMINENT), "the ambulance is here, my dad is with me").is_over


def test_silence_about_safety_never_ends_an_episode() -> None:
    episode = begin()
    for _ in range(40):
        said = reply(episode, "the soup was good today, I had two bowls of it")
        assert not said.is_over
        episode = said.episode


def test_denying_thoughts_still_gets_another_question_before_the_end() -> None:
    said = reply(begin(Level.ELEVATED), "no")
    assert not said.is_over
    assert hear(said.episode, "the soup was good today and I had some more").is_over


def test_brushing_it_off_is_no_sign_of_safety() -> None:
    said = reply(begin(), "lol nvm forget it")
    assert not said.episode.signs
    assert "don't have to take it back" in said.text


def test_line_that_did_not_answer_is_no_sign_of_safety() -> None:
    said = reply(begin(), "I called 988 and nobody answered")
    assert not said.is_over
    assert "Try a second line" in said.text
    assert said.shows_resources


def test_going_to_call_is_let_go_and_asked_for_afterwards() -> None:
    soup = "the soup was good today, I had two bowls of it"
    going = hear(begin(), soup, soup, soup, "ok I will")
    assert "?" not in going.text
    assert "called" in hear(going.episode, "yes").episode.signs


def test_being_willing_to_put_it_away_is_no_distance_yet() -> None:
    soup = "the soup was good today, I had two bowls of it"
    asked = hear(begin(), soup, soup).episode
    assert asked.asked == "means"
    assert "distance" not in reply(asked, "ok").episode.signs
    assert "distance" in reply(asked, "done").episode.signs


def test_being_well_is_no_yes_to_thoughts_of_dying() -> None:
    said = reply(begin(Level.ELEVATED), "I'm fine")
    assert said.episode.level == Level.ELEVATED


def test_new_disclosure_takes_back_being_safe() -> None:
    safe = reply(begin(), "yes").episode
    said = reply(safe, "I can't, I will do it, I want to die", found(Level.HIGH))
    assert said.episode.signs == ()
    assert not said.is_over


def test_person_beside_the_player_is_remembered_through_a_new_disclosure() -> None:
    said = reply(begin(), "my sister is here but I still want to die", found(Level.HIGH))
    assert said.episode.signs == ("company",)


def test_graver_disclosure_gets_the_graver_answer() -> None:
    said = reply(begin(Level.ELEVATED, "panic_attack"), "I'm doing it now", found(Level.IMMINENT))
    assert said.episode.level == Level.IMMINENT
    assert said.text.startswith("Please call your local emergency number now")


def test_lesser_disclosure_does_not_lower_the_level() -> None:
    said = reply(begin(Level.IMMINENT), "so panicky", found(Level.ELEVATED, "panic_attack"))
    assert (said.episode.level, said.episode.kind) == (Level.IMMINENT, LIFE)


def test_disclosure_after_the_end_opens_the_episode_again_in_other_words() -> None:
    first = answer(found(Level.HIGH), language="en")
    over = reply(first.episode, "I'm safe now and my sister is here").episode
    said = reply(over, "I want to die again", found(Level.HIGH))
    assert not said.is_over
    assert not set(said.text.split("\n\n")) & set(first.text.split("\n\n"))


def test_plain_reassurance_outweighs_what_a_detector_made_of_it() -> None:
    over = reply(begin(), "I'm safe now and my sister is here").episode
    said = reply(over, "I'm safe now", found(Level.HIGH))
    assert said.is_over
    assert said.shows_resources


@pytest.mark.parametrize("text", ["yes", "no", "idk", "I'm safe now", "nvm", "I want to die"])
def test_every_assessment_of_danger_is_answered_with_resources(text: str) -> None:
    for level in LEVELS:
        episode = begin(level)
        for before in (episode, Episode.from_json(episode.to_json() | {"is_over": True})):
            for danger in LEVELS[1:]:
                assert reply(before, text, found(danger)).shows_resources


def test_imminent_danger_outweighs_plain_reassurance() -> None:
    assert reply(begin(), "yes", found(Level.IMMINENT)).episode.level == Level.IMMINENT


# --- violence by others ------------------------------------------------------------------------------


def test_he_is_here_is_danger_and_not_company() -> None:
    said = reply(begin(Level.HIGH, "abuse"), "he is here")
    assert said.episode.level == Level.IMMINENT
    assert "without being noticed" in said.text
    assert "you trust" in said.text


def test_person_in_the_room_is_no_sign_of_safety_where_persons_hurt() -> None:
    assert "company" not in reply(begin(Level.HIGH, "abuse"), "my dad is here").episode.signs


def test_somebody_trusted_is_one() -> None:
    asked = reply(begin(Level.HIGH, "abuse"), "yes").episode
    assert "company" in reply(asked, "yes").episode.signs


def test_threatened_words_hold_out_when_danger_goes_on() -> None:
    episode = begin(Level.IMMINENT, "abuse")
    for _ in range(10):
        said = reply(episode, "please help", found(Level.IMMINENT, "abuse"))
        episode = said.episode
        assert not re.search(r"nearest|[Oo]pen the door", said.text)


# --- after a gentle question -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "told", ["the weather was odd and then it rained on us all day", "it's okay now", "nvm"]
)
def test_gentle_question_lets_the_conversation_go_on(told: str) -> None:
    assert follow_up(CALM, told, begin(Level.CHECK_IN), language="en") is None


def test_gentle_question_that_asks_for_no_yes_or_no_is_left_to_the_conversation() -> None:
    assert follow_up(CALM, "no", begin(Level.CHECK_IN, "panic_attack"), language="en") is None


def test_no_to_a_gentle_question_leaves_the_door_open() -> None:
    said = reply(begin(Level.CHECK_IN), "no")
    assert said.is_over
    assert not said.shows_resources


@pytest.mark.parametrize(
    ("kind", "told", "level"),
    [
        ("suicidal_ideation", "yes", Level.HIGH),
        ("severe_depression", "sometimes", Level.HIGH),
        ("self_harm", "maybe", Level.ELEVATED),
        ("abuse", "no", Level.HIGH),
        ("abuse", "not sure", Level.ELEVATED),
    ],
)
def test_troubled_reply_to_a_gentle_question_gets_the_whole_answer(
    kind: CrisisType, told: str, level: Level
) -> None:
    said = reply(begin(Level.CHECK_IN, kind), told)
    assert said.episode.level == level
    assert said.shows_resources


def test_low_mood_said_again_raises_no_alarm() -> None:
    said = answer(
        found(Level.CHECK_IN), language="en", episode=begin(Level.CHECK_IN), lines=lines_of("US", "en")
    )
    assert not said.shows_resources
    assert "988" not in said.text


# --- twelve turns ------------------------------------------------------------------------------------

REPLIES: dict[Language, list[str]] = {
    "en": ["yes", "no", "idk", "soup is nice on a day as grey as this one", "nvm", "they didnt answer", "my sister is here", "i called them", "im safe now", "i put it away", "..."],
    "es": ["si", "no", "no se", "hoy he comido sopa con mi gato y llueve mucho", "da igual", "no contestan", "mi hermana viene", "ya llame al 024", "estoy a salvo", "lo he guardado", "..."],
}  # fmt: skip


def conversation(seed: int, language: Language) -> Iterator[CrisisAnswer]:
    """Twelve turns of somebody who answers anything and discloses anew now and then."""
    chance = random.Random(seed)
    episode: Episode | None = None
    for turn in range(12):
        level = chance.choice([2, 3, 4]) if turn == 0 else chance.choice([0, 0, 0, 0, 2, 3, 4])
        assessment = Assessment(Level(level), (chance.choice(CRISIS_TYPES),) if level else ())
        text = chance.choice(REPLIES[language])
        said = (
            follow_up(assessment, text, episode, language=language)
            if episode
            else answer(assessment, language=language)
        )
        if said is None:
            return
        yield said
        episode = Episode.from_json(json.loads(json.dumps(said.episode.to_json())))
        assert episode == said.episode


@pytest.mark.parametrize("seed", range(150))
def test_twelve_turns_repeat_no_paragraph_and_ask_one_thing_at_a_time(seed: int, language: Language) -> None:
    said: list[str] = []
    for turn in conversation(seed, language):
        assert turn.text.count("?") <= 1
        assert len(turn.text.split()) <= 90
        said += turn.text.split("\n\n")
    assert len(said) == len(set(said))


def test_twelve_disclosures_repeat_no_paragraph(language: Language) -> None:
    for kind in CRISIS_TYPES:
        for level in LEVELS[1:]:
            episode: Episode | None = None
            said: list[str] = []
            for _ in range(12):
                turn = answer(Assessment(level, (kind,)), language=language, episode=episode)
                episode = turn.episode
                said += turn.text.split("\n\n")
            assert len(said) == len(set(said)), (kind, level)


def test_only_what_was_said_counts_as_said() -> None:
    episode, spoken = begin(), 2
    for _ in range(9):
        said = reply(episode, "the soup was good today, I had two bowls of it")
        episode = said.episode
        spoken += len(said.text.split("\n\n"))
    assert len(episode.said) + 1 == spoken  # an opening is one entry of two paragraphs


def test_when_everything_has_been_said_the_oldest_words_come_again() -> None:
    episode = begin(Level.IMMINENT)
    for _ in range(60):
        said = reply(episode, "please", found(Level.IMMINENT))
        episode = said.episode
        assert said.text
    assert len(episode.said) <= 200


def test_language_may_change_in_the_middle_of_an_episode() -> None:
    said = reply(begin(), "no sé", language="es")
    assert "¿Hay alguien contigo" in said.text


def test_episode_survives_names_it_does_not_know() -> None:
    assert Episode.from_json(begin().to_json() | {"later": 1}) == begin()


def test_answering_is_quick_enough_for_the_path_of_a_crisis() -> None:
    lines, episode = lines_of("US", "en"), begin()
    started = datetime.now(UTC)
    for _ in range(500):
        answer(found(Level.HIGH), language="en", lines=lines)
        follow_up(CALM, "no I'm home alone", episode, language="en", lines=lines)
    assert (datetime.now(UTC) - started).total_seconds() < 0.25


# --- a person, please --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "told", ["yes, show me one please", "can I talk to a real person", "I'd rather have a person"]
)
def test_who_asks_for_a_person_is_shown_the_lines_at_once(told: str) -> None:
    for level in LEVELS:
        said = follow_up(CALM, told, begin(level), language="en", lines=lines_of("US", "en"))
        assert said is not None
        assert said.shows_resources
        assert "call 988" in said.text


def test_lines_shown_after_a_gentle_question_leave_the_conversation_free() -> None:
    said = reply(begin(Level.CHECK_IN), "show me one")
    assert follow_up(CALM, "thanks, that is enough for me", said.episode, language="en") is None
