"""The linear model: how much the substrings and word families of a text weigh. No Django, no input or output.

One pass of an Aho-Corasick automaton sums everything that is needed to say "calm": each pattern carries two weights
and its share of the norm, packed into one integer. The other columns are looked up only when something was found.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from operator import itemgetter
from pathlib import Path
from typing import Final, cast

import ahocorasick

FILE: Final = Path(__file__).with_name("model.bin")
IDF_UNIT: Final = 16  # rarities are stored as sixteenths
_LANE: Final = 40  # bits per packed sum: 127 * 10**9 matches fit
_HALF: Final = 1 << (_LANE - 1)
_MASK: Final = (1 << _LANE) - 1
_value = itemgetter(1)


@dataclass(frozen=True, slots=True)
class Column:
    """One question asked of a text: weights of features and rules in units of `scale`, and a constant."""

    scale: float
    bias: float
    threshold: float
    features: array[int]
    rules: dict[str, int]

    def score(self, total: int, norm: float, rules: Iterable[str]) -> float:
        ruled = sum(self.rules.get(rule, 0) for rule in rules)
        return self.scale * (total / norm + ruled) + self.bias - self.threshold


@dataclass(frozen=True, slots=True)
class Sums:
    crisis: int
    low: int
    norm: float


class Model:
    """`sums` for every text; `tally` and `scores` for the few where something was found."""

    def __init__(self, features: Sequence[str], idf: bytes, columns: dict[str, Column]) -> None:
        self.features = features
        self.idf = idf
        self.columns = columns
        self._sums = finder(features, self._packed())
        self._indices = finder(features, range(len(features)))

    def _packed(self) -> Iterable[int]:
        crisis, low = self.columns["crisis"].features, self.columns["low"].features
        return (
            a + (b << _LANE) + (rarity * rarity << 2 * _LANE)
            for a, b, rarity in zip(crisis, low, self.idf, strict=True)
        )

    def sums(self, reading: str) -> Sums:
        packed = sum(map(_value, self._sums(reading)))
        crisis = ((packed + _HALF) & _MASK) - _HALF
        packed = (packed - crisis) >> _LANE
        low = ((packed + _HALF) & _MASK) - _HALF
        return Sums(crisis, low, norm((packed - low) >> _LANE))

    def tally(self, reading: str) -> Counter[int]:
        return Counter(map(_value, self._indices(reading)))

    def scores(self, tally: Counter[int], rules: Sequence[str]) -> dict[str, float]:
        length = norm(sum(count * self.idf[i] ** 2 for i, count in tally.items()))
        return {
            name: column.score(sum(count * column.features[i] for i, count in tally.items()), length, rules)
            for name, column in self.columns.items()
        }

    def heaviest(self, tally: Counter[int], count: int) -> list[tuple[int, float]]:
        """The features that spoke most for a crisis, heaviest first, with their part of the score."""
        column = self.columns["crisis"]
        length = norm(sum(times * self.idf[i] ** 2 for i, times in tally.items()))
        parts = sorted(((times * column.features[i], i) for i, times in tally.items()), reverse=True)
        return [(i, column.scale * part / length) for part, i in parts[:count] if part > 0]


def norm(squares: int) -> float:
    return sqrt(squares) / IDF_UNIT or 1.0


def finder(patterns: Iterable[str], values: Iterable[int]) -> Callable[[str], Iterable[tuple[int, int]]]:
    """A search for all patterns in one pass; gives, for each place where one ends, that place and its value."""
    automaton = ahocorasick.Automaton()
    for pattern, value in zip(patterns, values, strict=True):
        automaton.add_word(pattern, value)
    automaton.make_automaton()
    return cast("Callable[[str], Iterable[tuple[int, int]]]", automaton.iter)


def save(model: Model, path: Path = FILE) -> None:
    """A line of JSON, the features a line each, then one byte a feature for rarity and for each column."""
    columns = {
        name: {"scale": c.scale, "bias": c.bias, "threshold": c.threshold, "rules": c.rules}
        for name, c in model.columns.items()
    }
    header = json.dumps({"features": len(model.features), "columns": columns}, sort_keys=True)
    body = b"".join([model.idf, *(model.columns[name].features.tobytes() for name in sorted(columns))])
    path.write_bytes("\n".join([header, *model.features, ""]).encode() + body)


def load(path: Path = FILE) -> Model:
    data = path.read_bytes()
    header, _, rest = data.partition(b"\n")
    about = json.loads(header)
    count = about["features"]
    *lines, body = rest.split(b"\n", count)
    columns = {}
    for place, name in enumerate(sorted(about["columns"]), start=1):
        weights = array("b", body[place * count : (place + 1) * count])
        columns[name] = Column(features=weights, **about["columns"][name])
    return Model([line.decode() for line in lines], body[:count], columns)
