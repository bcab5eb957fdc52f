from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from therapy.messages import new_id


class TherapeuticSession(models.Model):
    """One therapeutic conversation: a player with a character in a world. Left and resumed by switching."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    player = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="therapeutic_sessions")
    character_id = models.CharField(max_length=64, blank=True)
    world_id = models.CharField(max_length=64, blank=True)
    opened_at = models.DateTimeField()
    resumed_at = models.DateTimeField(help_text="When it was last switched to; the latest is the active one.")
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["player", "character_id", "world_id"],
                condition=Q(closed_at=None),
                name="one_open_session_per_context",
            )
        ]
        indexes = [models.Index(fields=["player", "-resumed_at"], name="session_active")]

    class Privacy:
        fields = {
            "id": "technical",
            "player": "identity",
            "character_id": "clinical",
            "world_id": "clinical",
            "opened_at": "clinical",
            "resumed_at": "clinical",
            "closed_at": "clinical",
        }

    def __str__(self) -> str:
        return str(self.id)
