from __future__ import annotations

from collections.abc import Container
from typing import get_args

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from privacy.fields import EncryptedJSONField
from therapy.exercises.catalogue import CATALOGUE, Contraindication
from therapy.messages import new_id


def are_contraindications(value: object) -> None:
    _are_of(get_args(Contraindication), value)


def are_exercises(value: object) -> None:
    _are_of(CATALOGUE, value)


def _are_of(known: Container[str], value: object) -> None:
    if not isinstance(value, list) or not all(isinstance(name, str) and name in known for name in value):
        raise ValidationError("Only names of the exercise catalogue can stand here.", code="unknown_name")


class PlayerProfile(models.Model):
    """What the therapy app keeps of a player: settings, and the head of their log.

    The row is also the player's lock: sequence numbers are given out under it.
    """

    player = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="therapy_profile"
    )
    head = models.PositiveBigIntegerField(default=0, help_text="Sequence number of the newest message.")
    intensity = models.CharField(max_length=8, default="medium")
    preferred_approaches = models.JSONField(default=list)
    country = models.CharField(
        max_length=2, blank=True, help_text="ISO 3166-1 alpha-2; decides which helplines show."
    )
    language = models.CharField(max_length=2, default="en")
    goal = models.JSONField(
        null=True, blank=True, help_text="What the player set out to do: exercise, times, and since when."
    )
    contraindications = models.JSONField(
        default=list,
        blank=True,
        validators=[are_contraindications],
        help_text="What speaks against exercises for this player; those it concerns can't be started.",
    )
    allowed_exercises = models.JSONField(
        default=list,
        blank=True,
        validators=[are_exercises],
        help_text="If any is chosen, no other can be started, grounding aside.",
    )
    denied_exercises = models.JSONField(
        default=list, blank=True, validators=[are_exercises], help_text="These can't be started."
    )
    crisis_episode = EncryptedJSONField(
        null=True, help_text="Where a crisis conversation stands; null outside one."
    )
    token_version = models.PositiveIntegerField(
        default=0, help_text="Tokens of another version are refused; raised by logging out."
    )

    class Privacy:
        fields = {
            "player": "identity",
            "head": "technical",
            "intensity": "clinical",
            "preferred_approaches": "clinical",
            "country": "identity",
            "language": "identity",
            "goal": "clinical",
            "contraindications": "clinical",
            "allowed_exercises": "clinical",
            "denied_exercises": "clinical",
            "crisis_episode": "clinical",
            "token_version": "technical",
        }

    def __str__(self) -> str:
        return str(self.pk)


class Feedback(models.Model):
    """A player's judgement of an exercise or of the conversation; it steers what is recommended next."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    player = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    session = models.ForeignKey("therapy.TherapeuticSession", models.CASCADE, related_name="+")
    exercise = models.CharField(
        max_length=64, blank=True, help_text="Slug of the exercise judged, if it was one."
    )
    rating = models.PositiveSmallIntegerField(null=True)
    text = EncryptedJSONField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "feedback"

    class Privacy:
        fields = {
            "id": "technical",
            "player": "identity",
            "session": "technical",
            "exercise": "clinical",
            "rating": "clinical",
            "text": "words",
            "created_at": "clinical",
        }

    def __str__(self) -> str:
        return str(self.id)
