"""One way to leave an audit event. Call it inside the transaction of what it tells of."""

from __future__ import annotations

from privacy.models import AuditEvent


def record(
    action: str, *, by: object, player: object, object_type: str, object_id: object = "", count: int = 1
) -> AuditEvent:
    """Note that `by` (a user, a primary key, or 'system') did `action` to something of `player`."""
    return AuditEvent.objects.create(
        action=action,
        actor=str(getattr(by, "pk", by)),
        player=str(getattr(player, "pk", player)),
        object_type=object_type,
        object_id=str(object_id),
        count=count,
    )
