"""What a reply engine is asked and what it gives. No Django here.

An engine sees no names and no contact data. What it gives is a draft: unscreened text.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable


class EngineError(Exception):
    """An engine could not draft. `permanent`: asking again will not help. The message holds no player's words."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of the recent conversation."""

    speaker: Literal["player", "companion"]
    text: str


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """All an engine may know. `recent` is oldest first and does not hold `text`; at most 24 lines."""

    text: str
    recent: tuple[Utterance, ...] = ()
    character_id: str | None = None
    world_id: str | None = None
    language: Literal["en", "es"] = "en"
    intensity: Literal["low", "medium", "high"] = "medium"
    approaches: tuple[str, ...] = ()
    helped_before: tuple[str, ...] = ()  # exercise slugs, most helpful first
    closed: frozenset[str] = frozenset()  # slugs kept from this player by a clinician or a caution
    is_low: bool = False  # the crisis assessment was `check_in`: ask gently how things are
    seed: int = 0  # for what an engine draws at random; the same request gives the same draft


@dataclass(frozen=True, slots=True)
class Draft:
    """`offers` are exercise slugs the text speaks of, shown as buttons; `themes` what the words were about."""

    text: str
    engine: str
    offers: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()


@runtime_checkable
class ReplyEngine(Protocol):
    name: str

    async def draft(self, request: ReplyRequest) -> Draft:
        """Answer, or raise EngineError."""


@runtime_checkable
class StreamingReplyEngine(ReplyEngine, Protocol):
    def stream(self, request: ReplyRequest) -> AsyncIterator[str]:
        """The draft's text piece by piece; raises EngineError."""
