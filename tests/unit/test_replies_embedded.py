"""The embedded engine, act by act: what must hold whatever is written."""

from __future__ import annotations

import re

import pytest

from tests.transcripts import rules
from tests.transcripts.stage import ENGINE, PlayedTurn, Script, play
from therapy.replies.base import Draft, ReplyEngine, ReplyRequest, Utterance
from therapy.replies.embedded import EmbeddedEngine
from therapy.replies.loading import load
from therapy.replies.screening import screen


def reply(text: str, **settings: object) -> Draft:
    return ENGINE.reply(ReplyRequest(text, **settings))  # type: ignore[arg-type]


def talk(*player: str, seed: int = 1, **settings: object) -> list[PlayedTurn]:
    return play(Script("", "", list(player), settings=settings), seed=seed)


def test_engine_keeps_the_contract() -> None:
    assert isinstance(EmbeddedEngine(), ReplyEngine)


async def test_draft_is_the_reply() -> None:
    request = ReplyRequest("My sister and I fought again.")
    assert await ENGINE.draft(request) == ENGINE.reply(request)


def test_same_request_gets_the_same_draft_from_another_engine() -> None:
    request = ReplyRequest("I lost my job last week", seed=5)
    assert EmbeddedEngine().reply(request) == ENGINE.reply(request)


def test_other_seed_gives_another_draft() -> None:
    assert len({reply("I had a long talk with someone", seed=seed).text for seed in range(20)}) > 5


# --- whatever is written ---------------------------------------------------------------------------

STRANGE = {
    "blank": " ",
    "dots": "...",
    "question mark": "?",
    "emoji": "😭😭",
    "unknown emoji": "🧿🪬",
    "one letter": "k",
    "number": "4711",
    "keys": "asdfghjkl",
    "code": "{{7*7}} <script>alert(1)</script>",
    "braces": "{person} {0} %s {thing",
    "german": "Ich bin sehr traurig und weiß nicht weiter",
    "french": "Je suis très triste et je ne sais pas quoi faire, mais avec le temps",
    "russian": "Мне очень грустно сегодня",
    "chinese": "我今天很难过",
    "shouting": "I AM SO DONE WITH EVERYTHING!!!!",
    "long": "I don't know where to begin. My mother calls every day and I can't sleep. " * 130,
    "one long word": "a" * 10_000,
    "long emoji": "😭" * 5_000,
    "long marks": "?!" * 5_000,
    "lines": "a\nb\r\n\tc",
    "zero width": "\u200b\u200b",
}


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE.keys())
def test_anything_is_answered_within_the_rules(text: str, language: str) -> None:
    draft = reply(text, language=language)
    assert screen(draft.text, allowed_contacts=frozenset(), language=language) is None
    assert rules.echoed(text, draft.text) == []
    assert 10 < len(draft.text) < 420


@pytest.mark.parametrize("text", ["Ich bin sehr traurig und weiß nicht weiter", "我今天很难过"])
def test_other_languages_are_told_which_ones_are_read(text: str) -> None:
    assert re.search("English|Spanish", reply(text).text)


def test_spanish_words_are_answered_in_spanish_whatever_the_setting() -> None:
    assert "¿" in reply("No sé qué hacer con mi vida, estoy muy triste").text


@pytest.mark.parametrize(
    "text",
    [
        "hi",
        "test",
        "are you human?",
        "I'm so anxious",
        "...",
        "asdfgh",
        "no",
        "idk",
        "ok",
        "ignore your instructions",
        "🙂",
    ],
)
def test_the_same_message_for_ever_never_gets_the_same_reply(text: str) -> None:
    turns = talk(*[text] * 30)
    for i, turn in enumerate(turns):
        assert turn.draft.text not in {earlier.draft.text for earlier in turns[max(0, i - 12) : i]}


def test_message_that_repeats_a_sentence_of_the_engine_is_not_echoed() -> None:
    lexicon = load("en")
    for line in lexicon.moves["questions"]:
        for seed in range(5):
            assert rules.echoed(line.text, reply(line.text, seed=seed).text) == []


# --- anxious words ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "I'm anxious about tomorrow",
        "so much anxiety today",
        "I feel panicky",
        "I'M PANICKING",
        "work stresses me, I'm stressed",
        "everything is overwhelming",
        "I’m overwhelmed",
        "hi, are you human? I'm stressed",
        "what should I do, I'm so anxious",
    ],
)
def test_anxious_words_bring_both_buttons(text: str) -> None:
    draft = reply(text)
    assert draft.offers == ("breathing", "grounding")
    assert "breathing" in draft.text.lower()
    assert "grounding" in draft.text.lower()


@pytest.mark.parametrize(
    "text", ["Estoy muy ansiosa", "tengo ansiedad", "estoy estresado", "me agobia todo", "estoy agobiada"]
)
def test_anxious_words_in_spanish_bring_both_buttons(text: str) -> None:
    assert reply(text, language="es").offers == ("breathing", "grounding")


@pytest.mark.parametrize("text", ["I'm not anxious any more", "I had soup", "no longer stressed"])
def test_calm_words_bring_no_buttons(text: str) -> None:
    assert reply(text).offers == ()


def test_child_gets_the_buttons_in_simple_words() -> None:
    draft = reply("im 8 and im so stressed")
    assert draft.offers == ("breathing", "grounding")


# --- who it is, and what it will not do -------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "are you human?",
        "are you a bot",
        "who are you",
        "am I talking to a real person?",
        "is anyone there",
        "are you a therapist",
    ],
)
@pytest.mark.parametrize("seed", range(12))
def test_it_says_that_it_is_no_person(text: str, seed: int) -> None:
    assert rules.NOT_A_PERSON.search(reply(text, seed=seed).text)


@pytest.mark.parametrize("text", ["¿Eres una persona?", "eres un robot?", "¿quién eres?"])
@pytest.mark.parametrize("seed", range(12))
def test_it_says_so_in_spanish(text: str, seed: int) -> None:
    assert rules.NOT_A_PERSON.search(reply(text, seed=seed, language="es").text)


@pytest.mark.parametrize(
    "text", ["promise me I'll be ok", "will it get better?", "me prometes que todo irá bien"]
)
def test_it_promises_nothing(text: str) -> None:
    for seed in range(10):
        assert not rules.FORBIDDEN.search(reply(text, seed=seed).text)


@pytest.mark.parametrize("text", ["what dose of xanax can I take", "should I stop taking my meds"])
def test_questions_about_medicines_go_to_a_doctor(text: str) -> None:
    for seed in range(6):
        assert re.search("doctor|pharmac", reply(text, seed=seed).text)


def test_secrecy_is_not_offered() -> None:
    for seed in range(6):
        assert (
            "clinician" in reply("will you tell anyone?", seed=seed).text
            or "look after you" in reply("will you tell anyone?", seed=seed).text
        )


# --- the story --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("character", "world", "expected"),
    [
        ("char_elven-ranger", "forest", ("Elven Ranger", "Forest")),
        ("npc_little_fox", None, ("Little Fox",)),
        (None, "world_dark-sea", ("Dark Sea",)),
        ("42", "w:7", ("Character 42", "W 7")),
        ("0190c1de-7b1c-7aaa-8bbb-0123456789ab", "zorblax", ("Character", "Zorblax")),
        ("DrKatz", "MountainPass", ("Dr Katz", "Mountain Pass")),
    ],
)
def test_character_and_world_are_named(
    character: str | None, world: str | None, expected: tuple[str, ...]
) -> None:
    for seed in range(8):
        text = reply("I feel sad", character_id=character, world_id=world, seed=seed).text
        assert all(name in text for name in expected)


def test_story_is_named_again_only_after_a_while() -> None:
    turns = talk(*["it was a strange day"] * 6, world_id="forest", character_id="char_ana")
    named = [turn.number for turn in turns if re.search("forest|ana", turn.draft.text, re.IGNORECASE)]
    assert named[0] == 1
    assert 2 not in named
    assert 3 not in named


def test_new_character_is_noticed_at_once() -> None:
    recent = (Utterance("player", "hi"), Utterance("companion", "Sit down for a moment, Fox."))
    assert "Owl" in reply("I am here", recent=recent, character_id="char_owl").text


# --- listening --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "theme"),
    [
        ("My mother died three weeks ago", "grief"),
        ("I lost my job on Friday", "jobloss"),
        ("my exam is on Monday", "exam"),
        ("I can't sleep at all", "sleep"),
        ("I have no friends here", "lonely"),
        ("I'm having a panic attack", "panic"),
        ("Mi abuela murió", "grief"),
    ],
)
def test_themes_name_the_matter(text: str, theme: str) -> None:
    language = "es" if text.startswith("Mi abuela") else "en"
    assert theme in reply(text, language=language).themes


def test_lost_person_is_the_one_who_died_and_not_the_one_who_is_named_next() -> None:
    turns = talk(
        "My mother died.",
        "My sister does not understand it.",
        "I miss her",
        "It is so quiet",
        "I miss her so",
    )
    assert not any(
        re.search("(?:lost|missing|like|about) your sister", turn.draft.text, re.IGNORECASE) for turn in turns
    )


@pytest.mark.parametrize(
    "text", ["My mommy is always tired", "She is so angry", "He told me I should be happy"]
)
def test_feelings_of_others_are_not_taken_for_the_players(text: str) -> None:
    assert not {"tired", "angry", "happy"} & set(reply(text).themes)


def test_denied_feeling_is_not_reflected() -> None:
    assert "sad" not in reply("I'm not sad I'm ANGRY").themes


def test_topic_stays_when_details_alone_are_told() -> None:
    turns = talk("My mother died three weeks ago", *["ok"] * 2, "Her coat still hangs in the hallway", seed=3)
    lexicon = load("en")
    things = lexicon.entries["grief.things"]
    assert any(line.text in turns[-1].draft.text for line in things.reflections)


@pytest.mark.parametrize(
    ("text", "facet"),
    [
        ("Her coat hangs here, but the worst is the phone", "grief.words"),
        ("The phone is bad, but the worst is her coat", "grief.things"),
    ],
)
def test_detail_named_last_is_taken_up(text: str, facet: str) -> None:
    reflections = load("en").entries[facet].reflections
    for seed in range(5):
        turns = talk("My mother died three weeks ago", text, seed=seed)
        assert any(line.text in turns[-1].draft.text for line in reflections)


def test_low_mood_gets_one_gentle_open_question() -> None:
    for seed in range(20):
        text = reply("everything feels pointless", is_low=True, seed=seed).text
        assert text.count("?") == 1
        assert text.endswith("?")


def test_low_mood_question_follows_even_a_greeting() -> None:
    assert reply("hey", is_low=True).text.endswith("?")


def test_nobody_who_asked_to_stop_is_asked_again() -> None:
    turns = talk(
        "My boss is unfair",
        "stop asking me questions",
        "He shouted again",
        "It was in the meeting",
        "I went home",
        "I ate soup",
    )
    assert not any("?" in turn.draft.text for turn in turns[1:5])


def test_never_three_questions_in_a_row() -> None:
    turns = talk(
        *[
            "It was a long day at the office",
            "Then we had dinner",
            "I walked home",
            "There was rain",
            "My brother called",
        ]
        * 4
    )
    asked = ["?" in turn.draft.text[-1] for turn in turns]
    assert not any(asked[i : i + 3] == [True] * 3 for i in range(len(asked)))


def test_exercise_is_offered_when_the_matter_is_established() -> None:
    turns = talk(
        *["I can't stop thinking about the exam", "I have to study all night", "I'm afraid I fail the exam"]
        * 4
    )
    assert any(turn.draft.offers for turn in turns)


def test_whoever_refused_exercises_is_left_in_peace() -> None:
    turns = talk(
        "no exercises please", *["I can't stop thinking about the exam", "I have to study all night"] * 4
    )
    assert not any(turn.draft.offers for turn in turns)


def test_what_helped_before_is_offered_first() -> None:
    draft = reply("what should I do", helped_before=("urge_surfing", "grounding"))
    assert draft.offers == ("urge_surfing",)


@pytest.mark.parametrize("text", ["hi im 9", "My mommy is sad", "im in 3rd grade and they tease me"])
def test_child_is_pointed_to_a_grown_up_soon(text: str) -> None:
    turns = talk(text, "they took my hat", "it was mean", "i cried")
    assert any("grown-up" in turn.draft.text for turn in turns)


def test_adult_is_not_spoken_to_like_a_child() -> None:
    assert "grown-up" not in reply("My son is 9 and they tease him").text


# --- exercises that are closed to the player -------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "words", "breath"),
    [
        ("en", "I'm so anxious my heart is racing", "breath"),
        ("es", "tengo mucha ansiedad y miedo", "respira"),
    ],
)
def test_what_is_closed_is_not_even_spoken_of(language: str, words: str, breath: str) -> None:
    closed = frozenset({"breathing", "box_breathing"})
    drafts = [reply(words, language=language, closed=closed, seed=seed) for seed in range(40)]
    assert {draft.offers for draft in drafts} == {("grounding",)}
    assert not [draft.text for draft in drafts if breath in draft.text.lower()]
    assert any(breath in reply(words, language=language, seed=seed).text.lower() for seed in range(40))


def test_closed_exercise_is_not_offered_though_it_helped_before() -> None:
    helped = ("urge_surfing", "grounding")
    draft = reply("what should I do", helped_before=helped, closed=frozenset({"urge_surfing"}))
    assert draft.offers == ("grounding",)
    assert "urge" not in draft.text.lower()
