"""The written corpus that trains and measures the detector: one JSON object a line, in corpus/*.jsonl."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from therapy.crisis.assessment import CRISIS_TYPES, CrisisType, Level
from therapy.crisis.normalization import normalize

CORPUS: Final = Path(__file__).with_name("corpus")
_HELD_OUT_EVERY: Final = 5


class CorpusError(ValueError):
    """A line that is no example; says which, and never repeats its words."""


@dataclass(frozen=True, slots=True)
class Example:
    text: str
    level: Level
    types: tuple[CrisisType, ...]
    category: str
    lang: str
    held_out: bool

    @property
    def is_crisis(self) -> bool:
        return self.level >= Level.ELEVATED


def read_examples(folder: Path = CORPUS) -> list[Example]:
    """All examples, by file name and line: the order is part of what makes training repeatable."""
    return [example for path in sorted(folder.glob("*.jsonl")) for example in _read(path)]


def _read(path: Path) -> Iterator[Example]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            try:
                yield _example(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise CorpusError(f"{path.name}:{number}: {type(error).__name__}") from error


def _example(data: dict[str, object]) -> Example:
    text, types = str(data["text"]), tuple(cast("list[CrisisType]", data["types"]))
    if not text.strip() or not set(types) <= set(CRISIS_TYPES):
        raise ValueError("no text, or an unknown type")
    return Example(
        text,
        Level[str(data["level"]).upper()],
        types,
        str(data["category"]),
        str(data["lang"]),
        is_held_out(text),
    )


def is_held_out(text: str) -> bool:
    """A fifth of all texts, by a hash of their words: spelling twins fall on the same side."""
    digest = hashlib.sha256(normalize(text).text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % _HELD_OUT_EVERY == 0
