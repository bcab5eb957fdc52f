"""What the model sees of a text: substrings, families of words, and pairs of words that stand near each other.
No Django, no input or output.

A text is read twice in one pass: as its words, and with each word replaced by its family (concepts.toml), so that
what was learned about "pills" holds for "tablets". Pairs see past the words between them: "want ... die". The same
code serves training and running.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

_DATA: Final = tomllib.loads(Path(__file__).with_name("concepts.toml").read_text(encoding="utf-8"))
_FAMILIES: Final[dict[str, str]] = _DATA["concepts"]
_FIRST_PRIVATE: Final = 0xE000  # a family is one private-use character: short, and never typed
_OTHER: Final = "_"
#: A pair is written with its mark, so that it is mistaken for no substring; and how far apart its words may be.
_WORD_PAIR, _FAMILY_PAIR, _BETWEEN = "~", "^", "~"
_WORD_REACH, _FAMILY_REACH = 5, 6


def _forms(word: str) -> Iterator[str]:
    """Regular English forms; a form that does not exist does no harm."""
    stem = word[:-1] if word.endswith("e") else word
    yield from (
        word + "s",
        word + "es",
        stem + "ed",
        stem + "ing",
        word + word[-1] + "ing",
        word + word[-1] + "ed",
    )
    if word.endswith("y"):
        yield from (word[:-1] + "ies", word[:-1] + "ied")


def _concepts() -> dict[str, str]:
    plain: dict[str, str] = {word: word for word in _DATA["function"]["words"].split()}
    for number, (name, words) in enumerate(_FAMILIES.items()):
        family = "" if name == "DROP" else chr(_FIRST_PRIVATE + number)
        plain.update({word: family for word in words.split() if word not in plain})
    forms = {form: family for word, family in plain.items() if len(word) > 2 for form in _forms(word)}
    return forms | plain


CONCEPTS: Final = _concepts()
_FAMILY_NAMES: Final = {chr(_FIRST_PRIVATE + number): name.lower() for number, name in enumerate(_FAMILIES)}


def concept_text(text: str) -> str:
    """A normalized text with words as families; words that carry no meaning here leave a gap, intensifiers none."""
    family = CONCEPTS.get
    return " ".join([plain for word in text.split() if (plain := family(word, _OTHER))])


def readable(feature: str) -> str:
    """A feature with its families by name, for reasons that a person reads."""
    if is_pair(feature):
        feature = feature[1:].replace(_BETWEEN, " ... ")
    return "".join(_FAMILY_NAMES.get(letter, letter) for letter in feature).strip()


class Reading(NamedTuple):
    """A text as the model reads it: both readings, one after the other, for one pass of the automaton; and its pairs."""

    text: str
    pairs: list[str]


def reading(text: str) -> Reading:
    """Of a normalized text."""
    families = concept_text(text)
    return Reading(f"{text}\n {families} ", _pairs(text.split(), families.split()))


def candidates(text: str) -> set[str]:
    """All features that a text could give a model: the trainer chooses among them by how often they occur."""
    words = text.split()
    families = concept_text(text).split()
    return _phrases(words, 3) | _phrases(families, 4) | _parts(words) | set(_pairs(words, families))


def is_pair(feature: str) -> bool:
    return feature[0] in (_WORD_PAIR, _FAMILY_PAIR)


def _pairs(words: list[str], families: list[str]) -> list[str]:
    """Neighbours are no pairs: they are phrases."""
    near = [
        f"{_WORD_PAIR}{word}{_BETWEEN}{other}"
        for place, word in enumerate(words, start=2)
        for other in words[place : place + _WORD_REACH - 1]
    ]
    return near + [
        f"{_FAMILY_PAIR}{family}{_BETWEEN}{other}"
        for place, family in enumerate(families, start=2)
        if family != _OTHER
        for other in families[place : place + _FAMILY_REACH - 1]
        if other != _OTHER
    ]


def _phrases(words: list[str], longest: int) -> set[str]:
    return {
        f" {' '.join(words[start : start + length])} "
        for length in range(1, longest + 1)
        for start in range(len(words) - length + 1)
    }


def _parts(words: list[str]) -> set[str]:
    padded = {f" {word} " for word in words}
    return {
        word[start : start + length]
        for word in padded
        for length in (3, 4, 5)
        for start in range(len(word) - length + 1)
    }
