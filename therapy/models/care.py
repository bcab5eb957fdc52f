from __future__ import annotations

from django.conf import settings
from django.db import models


class CareAssignment(models.Model):
    """Which clinician looks after which player: the only ground on which anybody else sees a player's rows."""

    clinician = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="players_in_care")
    player = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="clinicians_in_charge")
    assigned_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["clinician", "player"], name="one_assignment_per_pair")
        ]

    class Privacy:
        fields = {
            "id": "technical",
            "clinician": "identity",
            "player": "identity",
            "assigned_at": "technical",
        }

    def __str__(self) -> str:
        return f"{self.clinician} looks after {self.player}"
