"""One call, `assess`: is the writer of this text in danger now? No Django, no input or output.

Never raises on any str; linear in the length of the text. What it says is a reason to ask and to show help,
never a diagnosis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from therapy.crisis.assessment import CALM, Assessment, Heard, Level, Reason
from therapy.crisis.normalization import Normalized, normalize
from therapy.crisis.rules import RULES, Match, Rule, find_matches


def assess(text: str, history: Sequence[Heard] = ()) -> Assessment:
    normalized = normalize(text)
    found = [match for match in find_matches(normalized.text, _cued(normalized.text)) if not match.voided_by]
    return _verdict(normalized, found) if found else CALM


def _cued(text: str) -> tuple[Rule, ...]:
    return tuple(rule for rule in RULES if any(cue in text for cue in rule.cues))


def _verdict(normalized: Normalized, found: list[Match]) -> Assessment:
    level = max(match.rule.level for match in found)
    types = dict.fromkeys(
        kind for match in found if match.rule.level >= min(level, Level.ELEVATED) for kind in match.rule.types
    )
    reasons = tuple(Reason(match.rule.name, *normalized.span(match.start, match.end)) for match in found)
    return Assessment(level, tuple(types), reasons)
