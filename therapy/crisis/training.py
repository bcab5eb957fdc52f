"""`python -m therapy.crisis.training`: corpus -> model.bin, byte for byte the same on every machine.

Plain Python on purpose: additions in a fixed order, exact sums (`fsum`), no library whose rounding depends on the
processor. A linear support vector machine with squared hinge loss, solved by dual coordinate descent
(Hsieh et al., 2008, doi 10.1145/1390156.1390208), one column per question. The held-out fifth is never read.
"""

from __future__ import annotations

import math
import random
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from operator import mul
from typing import Final

from therapy.crisis.assessment import CRISIS_TYPES, CrisisType, Level
from therapy.crisis.examples import Example, read_examples
from therapy.crisis.features import Reading, candidates, is_pair, reading
from therapy.crisis.model import FILE, IDF_UNIT, Column, Finder, Model, norm, save, size_of
from therapy.crisis.normalization import normalize
from therapy.crisis.rules import find_matches

FEATURES: Final = 60_000
COST: Final = 0.5
EPOCHS: Final = 15
FOLDS: Final = 4
RULE_VALUE: Final = 0.7
# The share of calm training examples that may score above a threshold, each judged by a model that never saw it.
FALSE_ALARMS: Final = 0.045
FALSE_CHECK_INS: Final = 0.10
_LEAST_PHRASES: Final = 2
_LEAST_PARTS: Final = 3
_SEED: Final = 4
FEW: Final = 1000  # rows that are not worth another process
_SHARED: Final[list[Design]] = []  # in such a process

# Ideation speaks in several voices, and calm talk even more so: each is a question of its own.
_VOICES: Final = ("explicit_si", "passive_si", "indirect_si", "plan_means", "slang_obfuscated")
_CALM: Final[dict[str, tuple[str, ...]]] = {
    "game": ("rpg_table", "rpg_talk", "game_action", "fiction_quote", "fiction", "contrast_fiction"),
    "technical": ("tech", "sport_news"),
    "idiom": ("idiom", "hyperbole_slang"),
    "lexical": ("lexical_trap", "contrast_object"),
    "negation": ("negation", "contrast_negation"),
    "past": ("past_recovered", "therapy_talk", "contrast_tense"),
    "other": ("third_person", "worry_about_other", "contrast_friend", "contrast_reported"),
    "information": ("info_question", "contrast_question"),
    "smalltalk": (
        "smalltalk",
        "ordinary_post",
        "safe_now",
        "chat_comment",
        "positive",
        "everyday_complaint",
        "chat_about_app",
    ),
}
_CALM_KINDS: Final = {category: kind for kind, categories in _CALM.items() for category in categories}


def _calm_kind(example: Example) -> str:
    if example.is_crisis:
        return ""
    return "-low" if example.level is Level.CHECK_IN else "-" + _CALM_KINDS.get(example.category, "mild")


def _is_of(kind: CrisisType) -> Callable[[Example], bool]:
    return lambda example: example.is_crisis and kind in example.types


def _speaks(voice: str) -> Callable[[Example], bool]:
    return lambda example: example.is_crisis and example.category == voice


def _is_calm_as(kind: str) -> Callable[[Example], bool]:
    return lambda example: _calm_kind(example) == kind


QUESTIONS: Final[dict[str, Callable[[Example], bool]]] = {
    "crisis": lambda example: example.is_crisis,
    "low": lambda example: example.level >= Level.CHECK_IN,
    "high": lambda example: example.level >= Level.HIGH,
    "imminent": lambda example: example.level >= Level.IMMINENT,
    **{kind: _is_of(kind) for kind in CRISIS_TYPES},
    **{f"+{voice}": _speaks(voice) for voice in _VOICES},
    **{f"-{kind}": _is_calm_as(f"-{kind}") for kind in (*_CALM, "mild", "low")},
}


@dataclass(frozen=True, slots=True)
class Text:
    example: Example
    reading: Reading
    candidates: set[str]
    rules: list[str]


@dataclass(frozen=True, slots=True)
class Row:
    places: list[int]
    values: list[float]


@dataclass(frozen=True, slots=True)
class Design:
    """Every example as a row of numbers: its features, a constant, and the rules that held."""

    features: list[str]
    idf: bytes
    rules: list[str]
    rows: list[Row]

    @property
    def width(self) -> int:
        return len(self.features) + 1 + len(self.rules)


def train(examples: Sequence[Example]) -> Model:
    texts = [_text(example) for example in examples]
    model = _fit(texts)
    model.thresholds.update(_thresholds(texts))
    return model


def _fit(texts: Sequence[Text]) -> Model:
    everything = _design(texts, _frequent(texts))
    crisis = [text.example.is_crisis for text in texts]
    design = _design(texts, _weightiest(everything, _solve(everything.rows, crisis, everything.width), texts))
    labels = [[ask(text.example) for text in texts] for ask in QUESTIONS.values()]
    columns = dict(zip(QUESTIONS, _columns(design, labels), strict=True))
    return Model(design.features, design.idf, columns, dict.fromkeys(("short", "danger", "long", "low"), 0.0))


def _columns(design: Design, labels: Sequence[list[bool]]) -> list[Column]:
    """Each question is solved by itself, so that sharing them out among the cores changes no bit of the answers."""
    if len(design.rows) < FEW:
        return [_column(design, each) for each in labels]
    with ProcessPoolExecutor(mp_context=get_context("fork"), initializer=_share, initargs=(design,)) as pool:
        return list(pool.map(_shared_column, labels))


def _share(design: Design) -> None:
    _SHARED[:] = [design]


def _shared_column(labels: list[bool]) -> Column:
    return _column(_SHARED[0], labels)


def _thresholds(texts: Sequence[Text]) -> dict[str, float]:
    """By cross-validation: every calm text is scored by a model that was fitted without it."""
    calm: dict[str, list[float]] = {"short": [], "danger": [], "long": [], "low": []}
    for fold in range(FOLDS):
        print(f"fold {fold + 1} of {FOLDS}", file=sys.stderr, flush=True)  # noqa: T201
        model = _fit([text for i, text in enumerate(texts) if i % FOLDS != fold])
        for text in texts[fold::FOLDS]:
            scores = model.scores(text.reading, text.rules)
            if text.example.level < Level.ELEVATED:
                calm[size_of(text.reading)].append(scores.danger)
            if text.example.level < Level.CHECK_IN:
                calm["low"].append(scores.low)
    return {
        name: _exceeded_by(scores, FALSE_CHECK_INS if name == "low" else FALSE_ALARMS)
        for name, scores in calm.items()
    }


def _exceeded_by(scores: list[float], share: float) -> float:
    return round(sorted(scores, reverse=True)[int(share * len(scores))], 3) if scores else 0.0


def _text(example: Example) -> Text:
    text = normalize(example.text).text
    return Text(example, reading(text), candidates(text), sorted(match.label for match in find_matches(text)))


def _frequent(texts: Sequence[Text]) -> dict[str, int]:
    counts = Counter(feature for text in texts for feature in text.candidates)
    return {feature: count for feature, count in counts.items() if count >= _least(feature)}


def _least(feature: str) -> int:
    is_part = not is_pair(feature) and not (feature[0] == " " == feature[-1])
    return _LEAST_PARTS if is_part else _LEAST_PHRASES


def _weightiest(design: Design, weights: list[float], texts: Sequence[Text]) -> dict[str, int]:
    """The features that weigh most in a first model: the others only cost time."""
    weighed = zip(design.features, design.idf, weights, strict=False)
    ordered = sorted((-abs(weight * rarity), feature) for feature, rarity, weight in weighed)
    kept = {feature for _, feature in ordered[:FEATURES]}
    counts = Counter(feature for text in texts for feature in text.candidates & kept)
    return dict(counts)


def _design(texts: Sequence[Text], counts: dict[str, int]) -> Design:
    features = sorted(counts)
    idf = bytes(round(IDF_UNIT * (math.log(len(texts) / counts[feature]) + 1)) for feature in features)
    rules = sorted({rule for text in texts for rule in text.rules})
    find = Finder(features, range(len(features)))
    places = {rule: len(features) + 1 + place for place, rule in enumerate(rules)}
    rows = [_row(Counter(find(text.reading)), idf, [places[rule] for rule in text.rules]) for text in texts]
    return Design(features, idf, rules, rows)


def _row(tally: Counter[int], idf: bytes, rules: list[int]) -> Row:
    places = sorted(tally)
    length = norm(sum(tally[i] * idf[i] ** 2 for i in places)) * IDF_UNIT
    values = [tally[i] * idf[i] / length for i in places]
    return Row([*places, len(idf), *rules], [*values, 1.0, *[RULE_VALUE] * len(rules)])


def _column(design: Design, labels: list[bool]) -> Column:
    weights = _solve(design.rows, labels, design.width)
    heavy = [weight * rarity / IDF_UNIT for weight, rarity in zip(weights, design.idf, strict=False)]
    scale = max(map(abs, heavy)) / 127 or 1.0
    bias, ruled = weights[len(heavy)], weights[len(heavy) + 1 :]
    return Column(
        scale=scale,
        bias=bias,
        features=array("b", [round(weight / scale) for weight in heavy]),
        rules={rule: round(RULE_VALUE * w / scale) for rule, w in zip(design.rules, ruled, strict=True)},
    )


def _solve(rows: Sequence[Row], labels: Sequence[bool], width: int) -> list[float]:
    weights = [0.0] * width
    alphas = [0.0] * len(rows)
    soft = 0.5 / COST
    squares = [math.fsum(map(mul, row.values, row.values)) + soft for row in rows]
    order = list(range(len(rows)))
    shuffle = random.Random(_SEED).shuffle
    for _ in range(EPOCHS):
        shuffle(order)
        for i in order:
            sign = 1.0 if labels[i] else -1.0
            gradient = sign * _dot(weights, rows[i]) - 1.0 + soft * alphas[i]
            alpha = max(alphas[i] - gradient / squares[i], 0.0)
            if alpha != alphas[i]:
                _add(weights, rows[i], (alpha - alphas[i]) * sign)
                alphas[i] = alpha
    return weights


def _dot(weights: list[float], row: Row) -> float:
    return math.fsum(map(mul, map(weights.__getitem__, row.places), row.values))


def _add(weights: list[float], row: Row, step: float) -> None:
    for place, value in zip(row.places, row.values, strict=True):
        weights[place] += step * value


def main() -> None:
    model = train([example for example in read_examples() if not example.held_out])
    save(model, FILE)
    print(f"{FILE.name}: {len(model.features)} features, {FILE.stat().st_size} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
