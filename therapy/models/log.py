from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from privacy.fields import EncryptedJSONField
from therapy.messages import new_id


class Message(models.Model):
    """One durable frame of a player's log, numbered 1, 2, 3 ... without a gap. Written by `therapy.journal` alone."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    player = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    seq = models.PositiveBigIntegerField()
    session = models.ForeignKey(
        "therapy.TherapeuticSession", models.CASCADE, related_name="+", db_index=False
    )
    role = models.CharField(max_length=16)
    client_id = models.CharField(
        max_length=128, null=True, help_text="The sender's own id of a player's act."
    )
    in_reply_to = models.UUIDField(null=True, help_text="The player's act that this answers.")
    is_awaiting_reply = models.BooleanField(
        default=False, help_text="An act that was stored before its answer."
    )
    body = EncryptedJSONField(
        help_text="Content and metadata as they go over the wire, and what the act asked for."
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["player", "seq"], name="one_message_per_seq"),
            models.UniqueConstraint(
                fields=["player", "client_id"],
                condition=Q(client_id__isnull=False),
                name="one_act_per_client_id",
            ),
        ]
        indexes = [
            models.Index(
                fields=["player"], condition=Q(is_awaiting_reply=True), name="message_awaiting_reply"
            )
        ]

    class Privacy:
        fields = {
            "id": "technical",
            "player": "identity",
            "seq": "technical",
            "session": "technical",
            "role": "technical",
            "client_id": "technical",
            "in_reply_to": "technical",
            "is_awaiting_reply": "technical",
            "body": "words",
            "created_at": "clinical",
        }

    def __str__(self) -> str:
        return f"{self.role} {self.seq}"
