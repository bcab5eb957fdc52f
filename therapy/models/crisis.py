from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from privacy.fields import EncryptedJSONField
from therapy.messages import new_id


class CrisisEvent(models.Model):
    """An episode in which the detector saw danger. Later turns add to it until a clinician resolves it."""

    class Status(models.TextChoices):
        OPEN = "open"
        ACKNOWLEDGED = "acknowledged"
        RESOLVED = "resolved"

    class Outcome(models.TextChoices):
        SAFE = "safe", "Safe: spoken with"
        REFERRED = "referred", "Referred to emergency or other care"
        UNREACHED = "unreached", "Could not be reached"
        FALSE_ALARM = "false_alarm", "False alarm"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    player = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="crisis_events")
    session = models.ForeignKey("therapy.TherapeuticSession", models.CASCADE, related_name="+")
    status = models.CharField(max_length=16, choices=Status, default=Status.OPEN)
    level = models.CharField(max_length=16, help_text="The highest level of the episode.")
    types = models.JSONField(default=list)
    evidence = EncryptedJSONField(help_text="Per turn: message id, level, types, reasons, resources shown.")
    opened_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    acknowledged_by = models.CharField(max_length=64, blank=True, help_text="Primary key of the clinician.")
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=64, blank=True, help_text="Primary key of the clinician.")
    resolved_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=16, choices=Outcome, blank=True)
    note = EncryptedJSONField(null=True, blank=True)

    class Meta:
        ordering = ["-last_seen_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["player"], condition=~Q(status="resolved"), name="one_unresolved_crisis_per_player"
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
            "acknowledged_by": "identity",
            "acknowledged_at": "clinical",
            "resolved_by": "identity",
            "resolved_at": "clinical",
            "outcome": "clinical",
            "note": "words",
        }

    def __str__(self) -> str:
        """Neutral, for it stands in headings and in lists of what a deletion takes along."""
        return f"{self.opened_at:%Y-%m-%d %H:%M}"


class CrisisNotice(models.Model):
    """One message to the clinic about a crisis event: to be sent, retried, and sent again on request."""

    class Channel(models.TextChoices):
        WEBHOOK = "webhook"
        EMAIL = "email", "e-mail"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    event = models.ForeignKey(CrisisEvent, models.CASCADE, related_name="notices")
    channel = models.CharField(max_length=8, choices=Channel)
    level = models.CharField(max_length=16, help_text="The level that was reached and is told.")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="When it is tried next.")
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=64, blank=True, help_text="Why the last attempt failed.")

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["due_at"], condition=Q(sent_at=None), name="notice_due")]

    class Privacy:
        fields = {
            "id": "technical",
            "event": "technical",
            "channel": "technical",
            "level": "clinical",
            "created_at": "technical",
            "due_at": "technical",
            "attempts": "technical",
            "sent_at": "technical",
            "problem": "technical",
        }

    def __str__(self) -> str:
        return f"{self.channel} {self.created_at:%Y-%m-%d %H:%M}"
