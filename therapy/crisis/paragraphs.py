"""The written words of a crisis: `answers.en.toml` and `answers.es.toml`, checked at import.

Every language must hold the same openings and the same number of variants under each name, so that a
player may change the language in the middle of an episode and still hear nothing twice.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from therapy.crisis.assessment import CRISIS_TYPES, CrisisType, Level
from therapy.crisis.helplines import ANYWHERE, Helpline
from therapy.messages import Language

LANGUAGES: tuple[Language, ...] = ("en", "es")
Question = Literal["", "thoughts", "safe", "company", "who", "means", "human", "call"]
Pool = tuple[str, ...]
Entry = TypeVar("Entry", bound=BaseModel)
_Entry = TypeVar("_Entry", bound=BaseModel)

_SLOT = re.compile(r"\{\w*\}?|\}")


class AnswersError(ValueError):
    """A file of answers cannot be used. The message names the file and the entry."""


def _checked(text: str) -> str:
    for slot in _SLOT.finditer(text):
        if slot[0] not in ("{help}", "{emergency}"):
            raise ValueError(f"{slot[0]!r} is not a slot; use {{help}} or {{emergency}}")
    return text.strip()


Text = Annotated[str, StringConstraints(min_length=12)]


class Opening(BaseModel):
    """The first answer to a disclosure. `asks` says what its question asks for, so that the reply is understood."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    type: CrisisType
    level: Literal["check_in", "elevated", "high", "imminent"]
    asks: Question
    text: Text

    @field_validator("text")
    @classmethod
    def _has_only_known_slots(cls, text: str) -> str:
        return _checked(text)


class _Variants(BaseModel):
    model_config = ConfigDict(frozen=True)
    texts: Annotated[tuple[Text, ...], Field(min_length=1)]

    @field_validator("texts")
    @classmethod
    def _have_only_known_slots(cls, texts: Pool) -> Pool:
        return tuple(_checked(text) for text in texts)


class Words(BaseModel):
    """What stands in the slots: a line by its method, or where none is named; the emergency number."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    help_phone: Text
    help_text: Text
    help_chat: Text
    help_website: Text
    help_unnamed: Text
    emergency: str
    emergency_unnamed: Text

    def fill(self, text: str, lines: Sequence[Helpline]) -> str:
        if "{" not in text:
            return text
        return text.replace("{help}", self._help(lines)).replace("{emergency}", self._emergency(lines))

    def _help(self, lines: Sequence[Helpline]) -> str:
        always = [line for line in lines if line.hours == "24/7" and not line.emergency]
        always.sort(key=lambda line: line.method != "phone")
        return self._named(f"help_{always[0].method}", always[0]) if always else self.help_unnamed

    def _emergency(self, lines: Sequence[Helpline]) -> str:
        known = next((line for line in lines if line.emergency and line.country != ANYWHERE), None)
        return self._named("emergency", known) if known else self.emergency_unnamed

    def _named(self, word: str, line: Helpline) -> str:
        sentence: str = getattr(self, word)
        return sentence.replace("{name}", line.name).replace("{info}", line.info)


@dataclass(frozen=True, slots=True)
class Answers:
    """One language: the openings, and the paragraphs of an episode by dotted name (`reaction.safe.yes`)."""

    openings: Mapping[tuple[CrisisType, Level], Opening]
    pools: Mapping[str, Pool]
    words: Words


# --- reading -----------------------------------------------------------------------------------------


def read(path: Path) -> Answers:
    """Raises AnswersError, naming the entry, on anything that could not be said."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AnswersError(f"{path}: {error}") from error
    openings = _openings(path, tables.pop("opening", []))
    words = _validated(path, "words", Words, tables.pop("words", {}))
    return Answers(openings, dict(_pools(path, tables, "")), words)


def _openings(path: Path, rows: Sequence[object]) -> dict[tuple[CrisisType, Level], Opening]:
    openings: dict[tuple[CrisisType, Level], Opening] = {}
    for number, row in enumerate(rows, start=1):
        opening = _validated(path, f"opening {number}", Opening, row)
        openings[opening.type, Level[opening.level.upper()]] = opening
    for kind in CRISIS_TYPES:
        for level in list(Level)[1:]:
            if (kind, level) not in openings:
                raise AnswersError(f"{path}: there is no opening for {kind}, {level.label}")
    return openings


def _pools(path: Path, table: Mapping[str, object], prefix: str) -> Sequence[tuple[str, Pool]]:
    found: list[tuple[str, Pool]] = []
    for name, value in table.items():
        if isinstance(value, dict):
            found += _pools(path, value, f"{prefix}{name}.")
        else:
            variants = _validated(path, prefix + name, _Variants, {"texts": value})
            found.append((prefix + name, variants.texts))
    return found


def _validated(path: Path, place: str, model: type[_Entry], value: object) -> _Entry:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise AnswersError(f"{path}: {place}, {field}: {first['msg']}") from error


def load(folder: Path = Path(__file__).parent) -> dict[str, Answers]:
    """Every language; raises AnswersError where they differ in more than their words."""
    spoken = {str(language): read(folder / f"answers.{language}.toml") for language in LANGUAGES}
    model = _shape(spoken[LANGUAGES[0]])
    for language, answers in spoken.items():
        if different := sorted(name for name, _ in _shape(answers) ^ model):
            raise AnswersError(
                f"answers.{language}.toml and answers.{LANGUAGES[0]}.toml differ in {different[0]}"
            )
    return spoken


def _shape(answers: Answers) -> set[tuple[str, object]]:
    openings = {(f"opening {kind}, {level.label}", o.asks) for (kind, level), o in answers.openings.items()}
    return openings | {(name, len(pool)) for name, pool in answers.pools.items()}


SPOKEN = load()


# --- saying -----------------------------------------------------------------------------------------


class Voice:
    """One turn's choice of paragraphs: in the order written, none twice while there are others."""

    def __init__(self, language: Language, lines: Sequence[Helpline], said: Iterable[str]) -> None:
        self._answers: Answers = SPOKEN.get(language, SPOKEN["en"])
        self._lines = lines
        self.said = list(said)

    def has_opened(self, kind: CrisisType, level: int) -> bool:
        return f"opening.{kind}.{Level(level).label}" in self.said

    def open(self, kind: CrisisType, level: int) -> tuple[str, Question]:
        opening = self._answers.openings[kind, Level(level)]
        return self._speak(f"opening.{kind}.{opening.level}", opening.text), opening.asks

    def say(self, *pools: str) -> str:
        """An unused paragraph of the first pool that has one; else the one whose last use is longest ago."""
        names = [f"{pool}.{n}" for pool in pools for n in range(len(self._answers.pools.get(pool, ())))]
        name = next((name for name in names if name not in self.said), None)
        name = name or min(names, key=self.said.index)
        pool, _, number = name.rpartition(".")
        return self._speak(name, self._answers.pools[pool][int(number)])

    def has(self, pool: str) -> bool:
        """Whether something in it is still unsaid."""
        return any(f"{pool}.{n}" not in self.said for n in range(len(self._answers.pools.get(pool, ()))))

    def _speak(self, name: str, text: str) -> str:
        if name in self.said:
            self.said.remove(name)
        self.said.append(name)
        return self._answers.words.fill(text, self._lines)
