"""The command with which a clinic checks the detector on its own words."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command


def run(monkeypatch: pytest.MonkeyPatch, text: str) -> tuple[list[dict[str, object]], str, bool]:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    failed = False
    try:
        call_command("assess_crisis", stdout=out, stderr=err)
    except CommandError:
        failed = True
    return [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue(), failed


def test_each_line_gets_an_assessment(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _, failed = run(monkeypatch, '{"text": "I want to kill myself"}\n{"text": "hello"}\n')
    assert [(row["i"], row["crisis"], row["level"]) for row in rows] == [
        (0, True, "high"),
        (1, False, "none"),
    ]
    assert set(rows[0]) == {"i", "crisis", "level", "types", "reasons"}
    assert not failed


@pytest.mark.parametrize("bad", ["{", "[]", '{"text": 3}', '{"other": "x"}', "[" * 100_000])
def test_bad_line_is_named_and_costs_no_other(monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    rows, errors, failed = run(monkeypatch, f'{{"text": "hello"}}\n{bad}\n{{"text": "hi"}}\n')
    assert [row["i"] for row in rows] == [0, 2]
    assert errors.startswith("line 2: ")
    assert failed


def test_error_does_not_repeat_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    _, errors, _ = run(monkeypatch, '{"text": "secret words\n')
    assert "secret" not in errors


def test_empty_lines_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _, _ = run(monkeypatch, '\n{"text": "hello"}\n\n')
    assert [row["i"] for row in rows] == [0]
