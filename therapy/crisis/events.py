"""The clinic's record of a crisis: one unresolved event a player, to which later turns add, and its handling."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.dispatch import Signal

from privacy import audit
from therapy.crisis.assessment import Assessment, Level
from therapy.crisis.notices import queue_notices
from therapy.database import work_tidily
from therapy.journal import StaleStateError
from therapy.messages import utc_now
from therapy.models import CrisisEvent

if TYPE_CHECKING:
    from therapy.sessions import PlayerState

#: Sent after the commit, on a thread of its own, with `event_id`, `player_id`, `level` and `is_new`; never with words.
crisis_detected = Signal()
#: Sent after the commit, on a thread of its own, with `event_id`, `player_id` and `by` (a primary key).
crisis_acknowledged = Signal()

#: Danger that comes back after this long is told to the clinic again, also where it is no graver than before.
QUIET = timedelta(hours=1)
#: An event keeps the beginning and the latest of its evidence: each turn writes it anew, and it may stay open for weeks.
EVIDENCE_MAX, EVIDENCE_FIRST = 200, 50

_RECEIVERS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="crisis-receiver")


def _send_later(signal: Signal, **told: Any) -> None:
    """Receivers are the portal's: they may be slow or fail, and neither a turn nor its database threads wait for them."""
    send = partial(work_tidily, partial(signal.send_robust, sender=CrisisEvent, **told))
    transaction.on_commit(lambda: _RECEIVERS.submit(send), robust=True)


@dataclass(frozen=True, slots=True)
class NoteCrisis:
    """Adds a turn to the player's unresolved event, or opens one. Reasons and ids, never the player's words."""

    player_id: Any
    session_id: UUID
    message_id: str
    assessment: Assessment
    resource_ids: tuple[str, ...]
    at: datetime

    def apply(self) -> None:
        unresolved = CrisisEvent.objects.select_for_update().exclude(status=CrisisEvent.Status.RESOLVED)
        event = unresolved.filter(player_id=self.player_id).first()
        is_new = event is None
        event = event or CrisisEvent(
            player_id=self.player_id,
            session_id=self.session_id,
            opened_at=self.at,
            last_seen_at=self.at,
            level=Level.NONE.label,
            evidence=[],
        )
        known = Level[event.level.upper()]
        is_told = self.assessment.level > known or self.at - event.last_seen_at > QUIET
        event.level = max(known, self.assessment.level).label
        event.types = list(dict.fromkeys([*event.types, *self.assessment.types]))
        event.evidence = _bounded([*event.evidence, self._evidence()])
        event.last_seen_at = max(event.last_seen_at, self.at)
        event.save(force_insert=is_new)
        action = "open" if is_new else "add"
        audit.record(action, by="system", player=self.player_id, object_type="crisis", object_id=event.pk)
        if is_told:
            queue_notices(event, self.at)
        _send_later(
            crisis_detected, event_id=event.pk, player_id=self.player_id, level=event.level, is_new=is_new
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


def _bounded(evidence: list[dict[str, Any]]) -> list[dict[str, Any]]:
    excess = max(0, len(evidence) - EVIDENCE_MAX)
    return evidence[:EVIDENCE_FIRST] + evidence[EVIDENCE_FIRST + excess :]


def acknowledge(event_id: UUID, *, by: Any) -> CrisisEvent:
    """A clinician has seen it. StaleStateError if somebody else was quicker."""
    with transaction.atomic():
        event = CrisisEvent.objects.select_for_update().get(pk=event_id)
        if event.status != CrisisEvent.Status.OPEN:
            raise StaleStateError
        event.status = CrisisEvent.Status.ACKNOWLEDGED
        event.acknowledged_by, event.acknowledged_at = str(by.pk), utc_now()
        event.save(update_fields=["status", "acknowledged_by", "acknowledged_at"])
        audit.record("acknowledge", by=by, player=event.player_id, object_type="crisis", object_id=event.pk)
        _send_later(crisis_acknowledged, event_id=event.pk, player_id=event.player_id, by=by.pk)
    return event


def resolve(event_id: UUID, *, by: Any, outcome: CrisisEvent.Outcome, note: str = "") -> CrisisEvent:
    """The episode is over for the clinic; the next sign of danger opens another event. StaleStateError if it was."""
    with transaction.atomic():
        event = CrisisEvent.objects.select_for_update().get(pk=event_id)
        if event.status == CrisisEvent.Status.RESOLVED:
            raise StaleStateError
        event.status = CrisisEvent.Status.RESOLVED
        event.resolved_by, event.resolved_at = str(by.pk), utc_now()
        event.outcome, event.note = outcome, note or None
        event.save(update_fields=["status", "resolved_by", "resolved_at", "outcome", "note"])
        audit.record("resolve", by=by, player=event.player_id, object_type="crisis", object_id=event.pk)
    return event


def tell_again(event_id: UUID, *, by: Any) -> int:
    """Tell the clinic of an event once more; returns over how many channels, 0 where the settings name none."""
    with transaction.atomic():
        event = CrisisEvent.objects.select_for_update().get(pk=event_id)
        count = queue_notices(event, utc_now())
        if count:
            audit.record("notify", by=by, player=event.player_id, object_type="crisis", object_id=event.pk)
    return count
