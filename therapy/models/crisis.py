from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from privacy.fields import EncryptedJSONField
from therapy.messages import new_id


class CrisisEvent(models.Model):
    """An episode in which the detector saw danger; later turns of the same episode add to the open one."""

    class Status(models.TextChoices):
        OPEN = "open"
        ACKNOWLEDGED = "acknowledged"
        RESOLVED = "resolved"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    player = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="crisis_events")
    session = models.ForeignKey("therapy.TherapeuticSession", models.CASCADE, related_name="+")
    status = models.CharField(max_length=16, choices=Status, default=Status.OPEN)
    level = models.CharField(max_length=16, help_text="The highest level of the episode.")
    types = models.JSONField(default=list)
    evidence = EncryptedJSONField(help_text="Per turn: message id, level, types, reasons, resources shown.")
    opened_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        ordering = ["-last_seen_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["player"], condition=Q(status="open"), name="one_open_crisis_per_player"
            )
        ]

    class Privacy:
        fields = {
            "id": "technical",
            "player": "identity",
            "session": "technical",
            "status": "clinical",
            "level": "clinical",
            "types": "clinical",
            "evidence": "clinical",
            "opened_at": "clinical",
            "last_seen_at": "clinical",
        }

    def __str__(self) -> str:
        return f"{self.level} {self.status}"
