"""One call, `assess`: is the writer of this text in danger now? No Django, no input or output.

Rules and model look at the line, then the conversation is weighed. Never raises on any str; linear in the length
of the text. What it says is a reason to ask and to show help, never a diagnosis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from therapy.crisis import model as linear
from therapy.crisis.assessment import CALM, CRISIS_TYPES, Assessment, CrisisType, Heard, Level, Reason
from therapy.crisis.conversation import weigh
from therapy.crisis.features import Reading, readable, reading
from therapy.crisis.model import Scores
from therapy.crisis.normalization import Normalized, normalize
from therapy.crisis.rules import Match, find_matches

_MODEL: Final = linear.load()
# A rule that no guard voids vouches for its level, unless the model is this sure of the opposite.
_DOUBT: Final = {Level.ELEVATED: 0.6, Level.HIGH: 0.9, Level.IMMINENT: 1.5}
_FEATURES_SHOWN: Final = 3


def assess(text: str, history: Sequence[Heard] = ()) -> Assessment:
    normalized = normalize(text)
    matches = find_matches(normalized.text)
    line = _assess_line(normalized, matches)
    if line == CALM and not history and not matches:
        return line
    vouched = any(match.rule.level >= Level.ELEVATED and not match.voided_by for match in matches)
    return weigh(line, normalized.text, history, about_danger=bool(matches), vouched=vouched)


def _assess_line(normalized: Normalized, matches: list[Match]) -> Assessment:
    both = reading(normalized.text)
    scores = _MODEL.scores(both, [match.label for match in matches])
    plain = [match for match in matches if not match.voided_by]
    vouched = max((match.rule.level for match in plain), default=Level.NONE)
    if scores.danger > -_DOUBT.get(vouched, 0.0):
        reasons = (*_found(normalized, plain), *_weighed(both))
        return Assessment(max(_level(scores), vouched), _types(scores, plain), reasons)
    if vouched == Level.CHECK_IN or scores.low > 0:
        return Assessment(Level.CHECK_IN, (), _found(normalized, plain))
    return CALM


def _level(scores: Scores) -> Level:
    if scores.columns["imminent"] > 0:
        return Level.IMMINENT
    return Level.HIGH if scores.columns["high"] > 0 else Level.ELEVATED


def _types(scores: Scores, matches: list[Match]) -> tuple[CrisisType, ...]:
    named = {kind for match in matches if match.rule.level >= Level.ELEVATED for kind in match.rule.types}
    likely = {kind for kind in CRISIS_TYPES if scores.columns[kind] > 0}
    found = named | likely or {max(CRISIS_TYPES, key=lambda kind: scores.columns[kind])}
    return tuple(kind for kind in CRISIS_TYPES if kind in found)


def _found(normalized: Normalized, matches: list[Match]) -> tuple[Reason, ...]:
    return tuple(Reason(match.label, *normalized.span(match.start, match.end)) for match in matches)


def _weighed(both: Reading) -> tuple[Reason, ...]:
    heaviest = _MODEL.heaviest(both, _FEATURES_SHOWN)
    return tuple(Reason(f"model: {readable(name)}", weight=round(weight, 3)) for name, weight in heaviest)
