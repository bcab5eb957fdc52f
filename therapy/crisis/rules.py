"""The rules of rules.toml, compiled: which of them hold in a normalized text. No Django, no input or output.

Cues keep this cheap: a rule's pattern runs only on a text that holds one of its cues. Patterns know only
bounded repetition, so that no text, however made, can hold the matcher up.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import ahocorasick

from therapy.crisis.assessment import CrisisType, Level

_DATA: Final = tomllib.loads(Path(__file__).with_name("rules.toml").read_text(encoding="utf-8"))
_BOUNDARY: Final = re.compile(r" (?:[.!?]|but|pero|however|though|aunque) ")
_GAP: Final = re.compile(r"<(\d)>")
_CLAUSE_WINDOW: Final = 200
_MATCHES_TRIED: Final = 24  # a rule that is voided this often in one text says nothing


@dataclass(frozen=True, slots=True)
class Guard:
    before: re.Pattern[str] | None
    inside: re.Pattern[str] | None
    after: re.Pattern[str] | None
    sentence: re.Pattern[str] | None
    message: re.Pattern[str] | None
    unless: re.Pattern[str] | None
    unless_match: re.Pattern[str] | None


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    level: Level
    types: tuple[CrisisType, ...]
    cues: tuple[str, ...]
    pattern: re.Pattern[str]
    guards: tuple[tuple[str, Guard], ...]


@dataclass(frozen=True, slots=True)
class Match:
    rule: Rule
    start: int
    end: int
    voided_by: str = ""

    @property
    def label(self) -> str:
        """Its name among the model's features; a rule that a guard voided says something too."""
        return f"{self.rule.name}:{self.voided_by}" if self.voided_by else self.rule.name


def _expand(pattern: str, words: dict[str, str]) -> str:
    for _ in range(3):  # lists may name lists, two deep
        for name, choices in words.items():
            pattern = pattern.replace("{" + name + "}", choices)
    return _GAP.sub(r"(?:\\w+ ){0,\1}", pattern)


def _compile(pattern: str | None, words: dict[str, str]) -> re.Pattern[str] | None:
    return re.compile(_expand(pattern, words)) if pattern else None


def _guard(data: dict[str, str], words: dict[str, str]) -> Guard:
    return Guard(
        *(
            _compile(data.get(key), words)
            for key in ("before", "in", "after", "sentence", "message", "unless", "unless_match")
        )
    )


def _rule(data: dict[str, Any], words: dict[str, str], guards: dict[str, Guard]) -> Rule:
    return Rule(
        data["name"],
        Level[data["level"].upper()],
        tuple(data["types"]),
        tuple(data["cues"]),
        re.compile(rf"\b(?:{_expand(data['pattern'], words)})(?!\w)"),
        tuple((name, guards[name]) for name in data["guards"]),
    )


def _compiled() -> tuple[Rule, ...]:
    words = _DATA["words"]
    guards = {name: _guard(guard, words) for name, guard in _DATA["guards"].items()}
    return tuple(_rule(rule, words, guards) for rule in _DATA["rule"])


def _cues(rules: tuple[Rule, ...]) -> ahocorasick.Automaton:
    numbers: dict[str, list[int]] = {}
    for number, rule in enumerate(rules):
        for cue in rule.cues:
            numbers.setdefault(cue, []).append(number)
    automaton = ahocorasick.Automaton()
    for cue, found in numbers.items():
        automaton.add_word(cue, found)
    automaton.make_automaton()
    return automaton


RULES: Final = _compiled()
CONVERSATION: Final[dict[str, str]] = _DATA["conversation"]
_CUES: Final = _cues(RULES)


def find_matches(text: str) -> list[Match]:
    """Every rule's first match that no guard voids; where all are voided, its first with the guard's name."""
    cued = {number for _, numbers in _CUES.iter(text) for number in numbers}
    return [match for number in sorted(cued) if (match := _first_match(RULES[number], text)) is not None]


def _first_match(rule: Rule, text: str) -> Match | None:
    voided: Match | None = None
    for found in islice(rule.pattern.finditer(text), _MATCHES_TRIED):
        name = _voided_by(rule, text, found.start(), found.end())
        if not name:
            return Match(rule, found.start(), found.end())
        voided = voided or Match(rule, found.start(), found.end(), name)
    return voided


def _voided_by(rule: Rule, text: str, start: int, end: int) -> str:
    left, right = _sentence(text, start, end)
    return next((name for name, guard in rule.guards if _holds(guard, text, left, start, end, right)), "")


def _sentence(text: str, start: int, end: int) -> tuple[int, int]:
    floor = max(0, start - _CLAUSE_WINDOW)
    left = floor
    for boundary in _BOUNDARY.finditer(text, floor, start):
        left = boundary.end() - 1
    right = _BOUNDARY.search(text, max(start, end - 1), end + _CLAUSE_WINDOW)
    return left, right.start() + 1 if right else min(len(text), end + _CLAUSE_WINDOW)


def _holds(guard: Guard, text: str, left: int, start: int, end: int, right: int) -> bool:
    if guard.unless_match and guard.unless_match.match(text, start):
        return False
    held = (
        (guard.before and guard.before.search(text, left, start))
        or (guard.inside and guard.inside.search(text, start, end))
        or (guard.after and guard.after.search(text[end:right]))
        or (guard.sentence and guard.sentence.search(text, left, right))
        or (guard.message and guard.message.search(text[:2000]))
    )
    return bool(held) and not (guard.unless and guard.unless.search(text, left, right))
