"""`python -m therapy.crisis.evaluation [SET.jsonl]`: how often the detector is right, per category, with intervals.

Without a path (or CRISIS_SET in the environment) it measures the corpus' own held-out fifth. Another labelled set
has lines with `text`, `crisis` (or `level`), `types` and `category`. Prints no text.
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Final

from therapy.crisis.assessment import Level
from therapy.crisis.detector import assess
from therapy.crisis.examples import read_examples

_Z: Final = 1.96


@dataclass(frozen=True, slots=True)
class Judged:
    category: str
    types: tuple[str, ...]
    is_crisis: bool
    alarmed: bool


@dataclass(frozen=True, slots=True)
class Rate:
    """`hits` of `total`, with Wilson's score interval (1927) at 95 %."""

    hits: int
    total: int

    @property
    def share(self) -> float:
        return self.hits / self.total

    @property
    def interval(self) -> tuple[float, float]:
        share, n = self.share, self.total
        centre = share + _Z * _Z / (2 * n)
        spread = _Z * sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n))
        return max(0.0, (centre - spread) / (1 + _Z * _Z / n)), (centre + spread) / (1 + _Z * _Z / n)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.share:6.3f}  {low:.3f}-{high:.3f}  {self.hits:5d} of {self.total}"


def judge_held_out() -> list[Judged]:
    return [
        Judged(e.category, e.types, e.is_crisis, assess(e.text).is_crisis)
        for e in read_examples()
        if e.held_out
    ]


def judge_file(path: Path) -> list[Judged]:
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return [_judge(line) for line in lines]


def _judge(line: dict[str, object]) -> Judged:
    crisis = line["crisis"] if "crisis" in line else Level[str(line["level"]).upper()] >= Level.ELEVATED
    types = line.get("types", ())
    named = tuple(map(str, types)) if isinstance(types, list) else ()
    alarmed = assess(str(line["text"])).is_crisis
    return Judged(str(line.get("category", "")), named, bool(crisis), alarmed)


def table(judged: Sequence[Judged]) -> str:
    crises = [j for j in judged if j.is_crisis]
    calm = [j for j in judged if not j.is_crisis]
    lines = ["recall", *_rows({"all": crises}), *_rows(_by_category(crises)), *_rows(_by_type(crises))]
    lines += ["", "false alarms", *_rows({"all": calm}), *_rows(_by_category(calm))]
    return "\n".join(lines)


def _rows(groups: dict[str, list[Judged]]) -> Iterable[str]:
    for name, group in sorted(groups.items()):
        if group:
            yield f"  {name:28s} {Rate(sum(j.alarmed for j in group), len(group))}"


def _by_category(judged: Iterable[Judged]) -> dict[str, list[Judged]]:
    groups = defaultdict(list)
    for j in judged:
        groups[j.category].append(j)
    return groups


def _by_type(judged: Iterable[Judged]) -> dict[str, list[Judged]]:
    groups = defaultdict(list)
    for j in judged:
        for kind in j.types:
            groups[f"type {kind}"].append(j)
    return groups


def main() -> None:
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("CRISIS_SET", "")
    judged = judge_file(Path(given)) if given else judge_held_out()
    print(f"{Path(given).name if given else 'held-out fifth of the corpus'}: {len(judged)} texts")  # noqa: T201
    print(table(judged))  # noqa: T201


if __name__ == "__main__":
    main()
