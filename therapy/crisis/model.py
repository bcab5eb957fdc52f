"""The linear model: how much the substrings and word families of a text weigh. No Django, no input or output.

It asks many questions of a text at once: is it a crisis, of which kind, and if not, which kind of calm talk is it
(a game, an idiom, somebody else's trouble ...)? The answer on danger weighs the best kind of crisis against the best
kind of calm, which a single line through all texts can't do. One pass of an Aho-Corasick automaton, and a look into a
table for each pair, adds up all questions: each feature carries its weights, packed into one integer.
"""

from __future__ import annotations

import json
import struct
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from operator import itemgetter
from pathlib import Path
from typing import Final

import ahocorasick

from therapy.crisis.assessment import CRISIS_TYPES
from therapy.crisis.features import Reading, is_pair

FILE: Final = Path(__file__).with_name("model.bin")
IDF_UNIT: Final = 16  # rarities are stored as sixteenths
KINDS_SHARE: Final = 1.0  # how much the kinds count beside the plain question
#: Characters of both readings. Short texts say little, and long ones spread what they say: each have a threshold of
#: their own.
SHORT: Final = 60
LONG: Final = 800
_OFFSET: Final = 128  # makes every packed weight positive
_value = itemgetter(1)


@dataclass(frozen=True, slots=True)
class Column:
    """One question: weights of features and rules in units of `scale`, and a constant."""

    scale: float
    bias: float
    features: array[int]
    rules: dict[str, int]


@dataclass(frozen=True, slots=True)
class Scores:
    """What each question scored; above zero means yes. `danger` and `low` are measured from their thresholds."""

    danger: float
    low: float
    columns: dict[str, float]


class Model:
    def __init__(
        self, features: Sequence[str], idf: bytes, columns: dict[str, Column], thresholds: dict[str, float]
    ) -> None:
        self.features = features
        self.idf = idf
        self.columns = columns
        self.thresholds = thresholds
        self._names = sorted(columns)
        self._of_crisis = [i for i, name in enumerate(self._names) if name in CRISIS_TYPES or name[0] == "+"]
        self._of_calm = [i for i, name in enumerate(self._names) if name[0] == "-"]
        self._scales = [(columns[name].scale, columns[name].bias) for name in self._names]
        self._lanes = struct.Struct(f"<{len(self._names) + 1}I")
        packed = list(self._packed())
        self._find = Finder(features, packed)
        # Features that always occur together weigh the same in everything; any of them may stand for all.
        self._places = {value: place for place, value in enumerate(packed)}

    def _packed(self) -> Iterable[int]:
        weights = zip(*(self.columns[name].features for name in self._names), strict=True)
        for rarity, row in zip(self.idf, weights, strict=True):
            lanes = self._lanes.pack(1, *(weight + _OFFSET for weight in row))
            yield int.from_bytes(lanes, "little") + (rarity * rarity << 8 * len(lanes))

    def scores(self, reading: Reading, rules: Sequence[str]) -> Scores:
        packed = sum(self._find(reading))
        above = 8 * self._lanes.size
        squares = packed >> above
        matches, *sums = self._lanes.unpack(
            (packed & ((1 << above) - 1)).to_bytes(self._lanes.size, "little")
        )
        length, offset = norm(squares), _OFFSET * matches
        values = [
            scale * (total - offset) / length + bias
            for total, (scale, bias) in zip(sums, self._scales, strict=True)
        ]
        if rules:
            values = [v + self._ruled(name, rules) for v, name in zip(values, self._names, strict=True)]
        return self._judged(values, size_of(reading))

    def _ruled(self, name: str, rules: Sequence[str]) -> float:
        column = self.columns[name]
        return column.scale * sum(column.rules.get(rule, 0) for rule in rules)

    def _judged(self, values: list[float], threshold: str) -> Scores:
        columns = dict(zip(self._names, values, strict=True))
        kinds = max([values[i] for i in self._of_crisis]) - max([values[i] for i in self._of_calm])
        danger = columns["crisis"] + KINDS_SHARE * kinds - self.thresholds[threshold]
        return Scores(danger, columns["low"] - self.thresholds["low"], columns)

    def heaviest(self, reading: Reading, count: int) -> list[tuple[str, float]]:
        """The features that spoke most for a crisis, heaviest first, with their part of the score."""
        tally = Counter(self._places[value] for value in self._find(reading))
        column = self.columns["crisis"]
        length = norm(sum(times * self.idf[i] ** 2 for i, times in tally.items()))
        parts = sorted(((times * column.features[i], i) for i, times in tally.items()), reverse=True)
        return [(self.features[i], column.scale * part / length) for part, i in parts[:count] if part > 0]


def size_of(reading: Reading) -> str:
    """Which threshold holds for a text."""
    length = len(reading.text)
    return "short" if length <= SHORT else "long" if length > LONG else "danger"


def norm(squares: int) -> float:
    return sqrt(squares) / IDF_UNIT or 1.0


class Finder:
    """Which of its features a text holds: the value of each, as often as it occurs."""

    def __init__(self, features: Iterable[str], values: Iterable[int]) -> None:
        self._pairs: dict[str, int] = {}
        self._substrings = ahocorasick.Automaton()
        for feature, value in zip(features, values, strict=True):
            if is_pair(feature):
                self._pairs[feature] = value
            else:
                self._substrings.add_word(feature, value)
        self._substrings.make_automaton()

    def __call__(self, reading: Reading) -> list[int]:
        known = self._pairs
        found = [known[pair] for pair in reading.pairs if pair in known]
        if self._substrings:
            found += map(_value, self._substrings.iter(reading.text))
        return found


def save(model: Model, path: Path = FILE) -> None:
    """A line of JSON, the features a line each, then one byte a feature for rarity and for each column."""
    columns = {
        name: {"scale": c.scale, "bias": c.bias, "rules": c.rules} for name, c in model.columns.items()
    }
    about = {"features": len(model.features), "columns": columns, "thresholds": model.thresholds}
    body = b"".join([model.idf, *(model.columns[name].features.tobytes() for name in sorted(columns))])
    path.write_bytes("\n".join([json.dumps(about, sort_keys=True), *model.features, ""]).encode() + body)


def load(path: Path = FILE) -> Model:
    header, _, rest = path.read_bytes().partition(b"\n")
    about = json.loads(header)
    count = about["features"]
    *lines, body = rest.split(b"\n", count)
    columns = {
        name: Column(features=array("b", body[place * count : (place + 1) * count]), **about["columns"][name])
        for place, name in enumerate(sorted(about["columns"]), start=1)
    }
    return Model([line.decode() for line in lines], body[:count], columns, about["thresholds"])
