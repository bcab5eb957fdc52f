"""From what a conversation is heard to be about, to what the catalogue says its exercises help with. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from therapy.exercises.catalogue import Theme

_ALL: frozenset[str] = frozenset(get_args(Theme))
#: The topics and feelings of the embedded engine's phrase files. Empty: no exercise is meant for it.
THEMES_OF: Mapping[str, tuple[Theme, ...]] = {
    "addiction": ("urges",),
    "alone": ("loneliness",),
    "anger": ("anger",),
    "angry": ("anger",),
    "anxiety": ("anxiety", "worry"),
    "ashamed": ("self_criticism",),
    "being_oneself": ("self_criticism",),
    "breakup": ("grief", "loneliness"),
    "caring": ("overwhelm", "stress"),
    "checking": ("anxiety",),
    "choice": ("practical_problems",),
    "confused": ("overwhelm",),
    "custody": ("stress", "practical_problems"),
    "exam": ("anxiety", "stress"),
    "family": ("stress",),
    "food": ("self_criticism",),
    "friendship": ("loneliness",),
    "goodnews": (),
    "grief": ("grief",),
    "guilty": ("self_criticism", "rumination"),
    "happy": (),
    "health": ("worry",),
    "helpless": ("overwhelm", "low_mood"),
    "home": ("loneliness",),
    "hopeful": (),
    "hurt": ("self_criticism",),
    "jealous": ("anger",),
    "jobloss": ("practical_problems", "worry"),
    "lonely": ("loneliness",),
    "love": (),
    "money": ("practical_problems", "worry"),
    "numb": ("low_mood", "dissociation"),
    "panic": ("panic",),
    "pet": (),
    "rest": (),
    "sad": ("low_mood",),
    "scared": ("anxiety",),
    "school": ("stress",),
    "selfworth": ("self_criticism",),
    "sleep": ("sleep",),
    "therapy": (),
    "tired": ("low_mood",),
    "trauma": ("trauma",),
    "work": ("stress",),
}


def themes_of(heard: Iterable[str]) -> tuple[str, ...]:
    """Each theme once. An engine may name themes itself; what is neither says nothing of exercises."""
    found = (THEMES_OF.get(name, (name,) if name in _ALL else ()) for name in heard)
    return tuple(dict.fromkeys(theme for themes in found for theme in themes))
