"""The audit trail: who did or read what about whom. Rows stand for themselves, without foreign keys."""

from __future__ import annotations

from django.db import models


class AuditEvent(models.Model):
    """Written in the transaction of what it tells of; never changed or deleted by the application."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    action = models.CharField(max_length=64)
    actor = models.CharField(max_length=64, help_text="Primary key of who acted, or 'system'.")
    player = models.CharField(max_length=64, db_index=True, help_text="Primary key of whom it concerns.")
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=64, blank=True)
    count = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["-at", "-id"]

    class Privacy:
        fields = {
            "id": "technical",
            "at": "technical",
            "action": "technical",
            "actor": "identity",
            "player": "identity",
            "object_type": "technical",
            "object_id": "technical",
            "count": "technical",
        }

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} by {self.actor}"
