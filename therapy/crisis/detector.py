"""One call, `assess`: is the writer of this text in danger now? No Django, no input or output.

Rules and model look at the line, then the conversation is weighed. Never raises on any str; linear in the length
of the text. What it says is a reason to ask and to show help, never a diagnosis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from therapy.crisis import model as linear
from therapy.crisis.assessment import CALM, CRISIS_TYPES, Assessment, CrisisType, Heard, Level, Reason
from therapy.crisis.features import readable, reading
from therapy.crisis.normalization import Normalized, normalize
from therapy.crisis.rules import Match, find_matches

_MODEL: Final = linear.load()
_CRISIS: Final = _MODEL.columns["crisis"]
_LOW: Final = _MODEL.columns["low"]
# A rule that no guard voids vouches for its level unless the model is this sure of the opposite.
_DOUBT: Final = 0.6
_FEATURES_SHOWN: Final = 3


def assess(text: str, history: Sequence[Heard] = ()) -> Assessment:
    return _line(text)


def _line(text: str) -> Assessment:
    normalized = normalize(text)
    matches = find_matches(normalized.text)
    labels = [match.label for match in matches]
    both = reading(normalized.text)
    sums = _MODEL.sums(both)
    crisis = _CRISIS.score(sums.crisis, sums.norm, labels)
    vouched = max((match.rule.level for match in matches if not match.voided_by), default=Level.NONE)
    if crisis > 0 or (vouched >= Level.ELEVATED and crisis > -_DOUBT):
        return _alarm(normalized, both, matches)
    if vouched == Level.CHECK_IN or _LOW.score(sums.low, sums.norm, labels) > 0:
        return Assessment(Level.CHECK_IN, (), _reasons(normalized, matches))
    return CALM


def _alarm(normalized: Normalized, both: str, matches: list[Match]) -> Assessment:
    tally = _MODEL.tally(both)
    scores = _MODEL.scores(tally, [match.label for match in matches])
    plain = [match for match in matches if not match.voided_by]
    level = max([_level(scores), *(match.rule.level for match in plain)])
    weighed = tuple(
        Reason(f"model: {readable(_MODEL.features[i])}", weight=round(weight, 3))
        for i, weight in _MODEL.heaviest(tally, _FEATURES_SHOWN)
    )
    return Assessment(level, _types(scores, plain), _reasons(normalized, plain) + weighed)


def _level(scores: dict[str, float]) -> Level:
    if scores["imminent"] > 0:
        return Level.IMMINENT
    return Level.HIGH if scores["high"] > 0 else Level.ELEVATED


def _types(scores: dict[str, float], matches: list[Match]) -> tuple[CrisisType, ...]:
    named = {kind for match in matches if match.rule.level >= Level.ELEVATED for kind in match.rule.types}
    likely = {kind for kind in CRISIS_TYPES if scores[kind] > 0}
    best = max(CRISIS_TYPES, key=lambda kind: scores[kind])
    found = named | likely or {best}
    return tuple(cast("CrisisType", kind) for kind in CRISIS_TYPES if kind in found)


def _reasons(normalized: Normalized, matches: list[Match]) -> tuple[Reason, ...]:
    return tuple(
        Reason(match.label, *normalized.span(match.start, match.end))
        for match in matches
        if not match.voided_by
    )
