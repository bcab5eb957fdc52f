"""The table that says how often the detector is right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from therapy.crisis.evaluation import Judged, Rate, judge_file, judge_held_out, table


def test_interval_is_wilsons() -> None:
    low, high = Rate(81, 100).interval
    assert (round(low, 4), round(high, 4)) == (0.7222, 0.8749)


def test_table_counts_crises_and_calm_apart() -> None:
    judged = [
        Judged("panic", ("panic_attack",), is_crisis=True, alarmed=True),
        Judged("panic", ("panic_attack",), is_crisis=True, alarmed=False),
        Judged("idiom", (), is_crisis=False, alarmed=True),
    ]
    recall, false_alarms = table(judged).split("false alarms")
    assert "1 of 2" in recall
    assert "1 of 1" in false_alarms


def test_other_set_may_name_level_or_crisis(tmp_path: Path) -> None:
    lines = [
        {"text": "hello", "crisis": False},
        {"text": "I want to kill myself", "level": "high", "types": []},
    ]
    path = tmp_path / "set.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n\n", encoding="utf-8")
    assert [(j.is_crisis, j.alarmed) for j in judge_file(path)] == [(False, False), (True, True)]


@pytest.mark.parametrize(("share", "of"), [(0.8, "explicit_si")])
def test_plain_words_of_the_held_out_fifth_are_noticed(share: float, of: str) -> None:
    judged = [j.alarmed for j in judge_held_out() if j.is_crisis and j.category == of]
    assert sum(judged) / len(judged) >= share


def test_false_alarms_on_the_held_out_fifth_stay_rare() -> None:
    judged = [j.alarmed for j in judge_held_out() if not j.is_crisis]
    assert sum(judged) / len(judged) <= 0.07
