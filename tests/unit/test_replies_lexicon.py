"""The phrase files: every sentence in them, whatever the conversation, keeps the rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.transcripts import rules
from therapy.replies import loading as module
from therapy.replies.lexicon import LexiconError, Line
from therapy.replies.loading import load
from therapy.replies.screening import screen
from therapy.replies.story import humanize
from therapy.replies.wording import normalize, squeeze

LEXICONS = {language: load(language) for language in ("en", "es")}
SAMPLE = dict.fromkeys(module.SLOTS, "your sister")
EXERCISES = {
    "breathing", "box_breathing", "resonance_breathing", "cyclic_sighing", "grounding", "muscle_relaxation", "thought_record",
    "behavioural_activation", "urge_surfing", "paced_tipp", "self_compassion_break", "worry_time", "problem_solving", "safety_plan",
}  # fmt: skip

every_language = pytest.mark.parametrize("language", LEXICONS)


def lines(language: str) -> list[Line]:
    return module._all_lines(LEXICONS[language])


@every_language
def test_every_sentence_passes_the_screen(language: str) -> None:
    texts = [line.text.format_map(SAMPLE) for line in lines(language)]
    assert [text for text in texts if screen(text, allowed_contacts=frozenset(), language=language)] == []


@every_language
def test_no_sentence_promises_flatters_or_diagnoses(language: str) -> None:
    assert [line.text for line in lines(language) if rules.FORBIDDEN.search(line.text)] == []


@every_language
def test_every_sentence_can_be_recognized_by_a_part_without_slots(language: str) -> None:
    assert [line.text for line in lines(language) if len(line.part) < 3] == []
    slotted = [line for line in lines(language) if line.slots]
    assert [line.text for line in slotted if len(line.part) < 8] == []


@every_language
def test_offers_are_exercises(language: str) -> None:
    assert {line.offer for line in lines(language) if line.offer} <= EXERCISES
    assert set(LEXICONS[language].exercises) == EXERCISES


@every_language
def test_what_is_said_in_any_conversation_does_not_run_out_in_twelve_turns(language: str) -> None:
    moves = LEXICONS[language].moves
    for name in (
        "reflections",
        "followups",
        "questions",
        "low_questions",
        "again",
        "repeated",
        "child_reflections",
    ):
        assert len(moves[name]) >= 12, name
    assert len(moves["calm"]) + len(moves["calm_again"]) >= 13


@every_language
@pytest.mark.parametrize(
    "act", ["identity", "injection", "bored", "silence", "noise", "dontknow", "yes", "no"]
)
def test_acts_that_testers_repeat_have_answers_for_twelve_turns(language: str, act: str) -> None:
    entry = LEXICONS[language].entries[act]
    assert len(entry.reflections) + len(entry.again) >= 12


@every_language
def test_topics_that_yield_yield_to_topics(language: str) -> None:
    entries = LEXICONS[language].entries
    assert [
        (e.name, elder)
        for e in entries.values()
        for elder in e.yields_to
        if entries.get(elder, e).kind != "topic"
    ] == []


def write(folder: Path, **files: str) -> None:
    for name in ("moves", "worlds"):
        (folder / f"{name}.toml").write_text("", encoding="utf-8")
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[a]\nreflections = ['Hello {nobody}.']", "slot"),
        ("[a\n", "topics.toml"),
        ("[a]\n[a.facets.b]\n[a.facets.c]\n", None),
    ],
)
def test_mistake_in_a_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, complaint: str | None
) -> None:
    folder = tmp_path / "phrases" / "xx"
    folder.mkdir(parents=True)
    write(folder, topics=text)
    monkeypatch.setattr(module, "files", lambda package: tmp_path)
    with pytest.raises((LexiconError, KeyError)) as caught:
        load("xx")
    assert complaint is None or complaint in str(caught.value)


# --- wording and names ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("I don’t know…", " i dont know . "),
        ("No sé, ¿qué más?", " no se , . que mas . "),
        ("  A\tB\nC ", " a b . c "),
        ("", "  "),
    ],
)
def test_text_is_read_without_case_accents_and_apostrophes(text: str, read: str) -> None:
    assert normalize(text) == read


def test_stretched_words_are_squeezed() -> None:
    assert squeeze(" i am sooo tireddd ") == " i am so tired "


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("char_elven-ranger", "Elven Ranger"),
        ("forest", "Forest"),
        ("world.ruby_CITY", "Ruby CITY"),
        ("42", "Character 42"),
        ("char_", "Character"),
        ("0190c1de-7b1c-7aaa-8bbb-0123456789ab", "Character"),
        ("x" * 64, "X" + "x" * 39),
    ],
)
def test_ids_become_names(identifier: str, name: str) -> None:
    assert humanize(identifier, "Character") == name
