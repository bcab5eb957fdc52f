"""The corpus is the work: every line valid, none twice, no mould used over and over, every trap there."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from therapy.crisis.assessment import CRISIS_TYPES, Level
from therapy.crisis.examples import CORPUS, CorpusError, Example, read_examples
from therapy.crisis.normalization import normalize

TRAPS = {
    "idiom", "hyperbole_slang", "tech", "sport_news", "game_action", "rpg_talk", "fiction_quote", "info_question",
    "third_person", "past_recovered", "negation", "therapy_talk", "ordinary_sadness", "smalltalk", "lexical_trap",
}  # fmt: skip
VOICES = {
    "explicit_si", "passive_si", "indirect_si", "plan_means", "self_harm", "panic", "severe_depression", "trauma",
    "substance", "abuse", "general_distress", "slang_obfuscated", "negation_positive", "game_then_real",
}  # fmt: skip


@cache
def examples() -> list[Example]:
    return read_examples()


def test_corpus_holds_at_least_three_thousand_lines() -> None:
    assert len(examples()) >= 3000


def test_lines_hold_exactly_the_agreed_keys() -> None:
    keys = {"text", "level", "types", "category", "lang"}
    for path in sorted(CORPUS.glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            assert set(json.loads(line)) == keys, f"{path.name}:{number}"


def test_crises_and_only_crises_name_types() -> None:
    wrong = [e.category for e in examples() if e.is_crisis and not e.types]
    assert wrong == []


def test_no_text_stands_twice() -> None:
    counts = Counter(" ".join(re.findall(r"\w+", normalize(e.text).text)) for e in examples())
    assert [text for text, count in counts.items() if count > 1 and text] == []


def test_no_mould_is_used_over_and_over() -> None:
    """Lines that share their first six words are one mould; a model that learns it learns nothing."""
    starts = Counter(tuple(normalize(e.text).text.split()[:6]) for e in examples() if len(e.text.split()) > 7)
    assert max(starts.values()) <= 14  # of 24,600 lines


@pytest.mark.parametrize("level", list(Level))
def test_every_level_is_written(level: Level) -> None:
    assert sum(e.level is level for e in examples()) >= 100


@pytest.mark.parametrize("kind", CRISIS_TYPES)
def test_every_type_is_written(kind: str) -> None:
    assert sum(kind in e.types for e in examples()) >= 80


@pytest.mark.parametrize("category", sorted(TRAPS | VOICES))
def test_every_voice_and_trap_is_written(category: str) -> None:
    assert sum(e.category == category for e in examples()) >= 15


@pytest.mark.parametrize("is_crisis", [True, False])
def test_spanish_is_written(is_crisis: bool) -> None:
    assert sum(e.lang == "es" and e.is_crisis is is_crisis for e in examples()) >= 200


def test_long_therapy_talk_is_written() -> None:
    assert sum(e.category == "therapy_talk" and 50 <= len(e.text.split()) <= 260 for e in examples()) >= 50


def test_a_fifth_is_held_out() -> None:
    assert 0.17 < sum(e.held_out for e in examples()) / len(examples()) < 0.23


@pytest.mark.parametrize(
    "line", ["{", '{"text": "secret words"}', "[]", '{"text": " ", "level": "none", "types": []}']
)
def test_bad_line_is_named_and_not_quoted(tmp_path: Path, line: str) -> None:
    (tmp_path / "x.jsonl").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"^x\.jsonl:1: \w+$"):
        read_examples(tmp_path)
