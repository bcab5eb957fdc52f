"""Which exercises may be done by a player: what a clinician noted, and what a crisis leaves room for. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from therapy.exercises.catalogue import CATALOGUE, Exercise

if TYPE_CHECKING:
    from therapy.sessions import PlayerState

#: Noticing what is around one is denied to nobody.
ALWAYS = "grounding"
_OF_A_CRISIS = {"self_harm": "self_harm_intent", "panic_attack": "panic_attacks"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a clinician noted of a player. `allowed` empty: every exercise that nothing speaks against."""

    contraindications: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()


def known_of(state: PlayerState) -> frozenset[str]:
    """The contraindications that hold for a player now."""
    episode = state.episode
    if episode is None or episode.is_over:
        return state.limits.contraindications
    passing = {"acute_crisis", _OF_A_CRISIS.get(episode.kind, "acute_crisis")}
    return state.limits.contraindications | passing


def is_open(exercise: Exercise, limits: Limits, known: frozenset[str]) -> bool:
    """Whether neither the lists nor a contraindication that holds speak against it."""
    if exercise.slug == ALWAYS:
        return True
    is_listed = exercise.slug in limits.allowed or not limits.allowed
    return is_listed and exercise.slug not in limits.denied and known.isdisjoint(exercise.contraindications)


def is_suitable(exercise: Exercise, state: PlayerState) -> bool:
    return exercise.slug not in closed_to(state)


def closed_to(state: PlayerState) -> frozenset[str]:
    """The exercises that the player may not do now."""
    return _closed(state.limits, known_of(state))


@lru_cache(maxsize=1024)
def _closed(limits: Limits, known: frozenset[str]) -> frozenset[str]:
    return frozenset(slug for slug, exercise in CATALOGUE.items() if not is_open(exercise, limits, known))


def suitable(slugs: Iterable[str], state: PlayerState) -> tuple[str, ...]:
    """Those of `slugs` that the player may do, in the order given."""
    closed = closed_to(state)
    return tuple(slug for slug in slugs if slug in CATALOGUE and slug not in closed)
