"""What a frame is decided in, and what a decision is: shared by everything that decides."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from therapy.crisis.assessment import Assessment
from therapy.crisis.events import NoteCrisis
from therapy.journal import Effect
from therapy.messages import Element, Language, Role, Safety
from therapy.sessions import PlayerState, SessionContext


@dataclass(frozen=True, slots=True)
class Situation:
    """What a frame is decided in. `said_id` is the id its message will have in the log."""

    state: PlayerState
    session: SessionContext
    assessment: Assessment
    said_id: str
    now: datetime

    @property
    def language(self) -> Language:
        return self.state.settings.language


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, and what changes with it. `assessment` where it is another than the message's own."""

    role: Role
    text: str
    elements: tuple[Element, ...] = ()
    event: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    assessment: Assessment | None = None

    def in_session(self, session_id: UUID) -> Reply:
        """The same reply, noted in another session than it was decided in."""
        effects = (
            replace(e, session_id=session_id) if isinstance(e, NoteCrisis) else e for e in self.effects
        )
        return replace(self, effects=tuple(effects))


def safety(assessment: Assessment) -> Safety:
    """What the wire says of an assessment; `types` are those of a crisis, a check-in has none."""
    types = list(assessment.types) if assessment.is_crisis else []
    return Safety(crisis=assessment.is_crisis, types=types, level=assessment.level.label)
