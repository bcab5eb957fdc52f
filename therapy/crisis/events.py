"""The clinic's record of a crisis: one open event per player and episode, to which later turns add."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from privacy import audit
from therapy.crisis.assessment import Assessment, Level
from therapy.models import CrisisEvent

if TYPE_CHECKING:
    from therapy.sessions import PlayerState


@dataclass(frozen=True, slots=True)
class NoteCrisis:
    """Adds a turn to the player's open event, or opens one. Holds reasons and ids, never the player's words."""

    player_id: Any
    session_id: UUID
    message_id: str
    assessment: Assessment
    resource_ids: tuple[str, ...]
    at: datetime

    def apply(self) -> None:
        event = CrisisEvent.objects.select_for_update().filter(player_id=self.player_id, status="open").first()
        is_new = event is None
        event = event or CrisisEvent(
            player_id=self.player_id, session_id=self.session_id, opened_at=self.at, level="none", evidence=[]
        )
        event.level = max(Level[event.level.upper()], self.assessment.level).label
        event.types = list(dict.fromkeys([*event.types, *self.assessment.types]))
        event.evidence = [*event.evidence, self._evidence()]
        event.last_seen_at = self.at
        event.save(force_insert=is_new)
        audit.record(
            "open" if is_new else "add", by="system", player=self.player_id, object_type="crisis", object_id=event.pk
        )

    def _evidence(self) -> dict[str, Any]:
        return {
            "message_id": self.message_id,
            "at": self.at.isoformat(),
            "level": self.assessment.level.label,
            "types": list(self.assessment.types),
            "reasons": [asdict(reason) for reason in self.assessment.reasons],
            "resources": list(self.resource_ids),
        }

    def settle(self, state: PlayerState) -> None:
        """Nothing of the state depends on the clinic's record."""
