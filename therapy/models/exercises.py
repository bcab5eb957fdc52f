from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from privacy.fields import EncryptedJSONField
from therapy.messages import new_id


class ExerciseRun(models.Model):
    """One start of an exercise by a player, and how it ended. A marker leads back to it."""

    class Outcome(models.TextChoices):
        COMPLETED = "completed"
        STOPPED = "stopped"
        RESTARTED = "restarted"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    player = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="exercise_runs")
    session = models.ForeignKey("therapy.TherapeuticSession", models.CASCADE, related_name="+")
    exercise = models.CharField(max_length=64, help_text="The exercise's slug.")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=16, choices=Outcome, blank=True)
    walk = EncryptedJSONField(
        null=True, help_text="Steps, ratings and the player's words: a Walk, as therapy.exercises keeps it."
    )
    version = models.PositiveIntegerField(default=0, help_text="Raised by each act on the walk.")
    seconds_expected = models.PositiveIntegerField(default=0)
    seconds_spent = models.PositiveIntegerField(default=0)
    steps_seen = models.PositiveSmallIntegerField(default=0)
    steps_total = models.PositiveSmallIntegerField(default=0)
    mood_before = models.PositiveSmallIntegerField(null=True, help_text="0 (very bad) to 10 (very good).")
    mood_after = models.PositiveSmallIntegerField(null=True, help_text="0 (very bad) to 10 (very good).")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["player", "exercise"], condition=Q(ended_at=None), name="one_open_run_per_exercise"
            ),
            models.CheckConstraint(
                condition=(Q(mood_before=None) | Q(mood_before__lte=10))
                & (Q(mood_after=None) | Q(mood_after__lte=10)),
                name="moods_0_to_10",
            ),
        ]
        indexes = [models.Index(fields=["player", "-started_at"], name="run_latest")]

    class Privacy:
        fields = {
            "id": "technical",
            "player": "identity",
            "session": "technical",
            "exercise": "clinical",
            "started_at": "clinical",
            "ended_at": "clinical",
            "outcome": "clinical",
            "walk": "words",
            "version": "technical",
            "seconds_expected": "clinical",
            "seconds_spent": "clinical",
            "steps_seen": "clinical",
            "steps_total": "clinical",
            "mood_before": "clinical",
            "mood_after": "clinical",
        }

    def __str__(self) -> str:
        return f"{self.exercise} {self.started_at:%Y-%m-%d %H:%M}"


class ProgressMarker(models.Model):
    """Something a player achieved. `earned_by` names the deed, so that one deed never earns two markers."""

    class Type(models.TextChoices):
        MILESTONE = "MILESTONE"
        BREAKTHROUGH = "BREAKTHROUGH"
        SKILL_ACQUIRED = "SKILL_ACQUIRED"
        GOAL_ACHIEVED = "GOAL_ACHIEVED"
        SETBACK_OVERCOME = "SETBACK_OVERCOME"
        INSIGHT = "INSIGHT"
        THERAPEUTIC_GOAL = "THERAPEUTIC_GOAL"

    marker_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    marker_type = models.CharField(max_length=32, choices=Type)
    description = EncryptedJSONField()
    achieved_at = models.DateTimeField()
    therapeutic_value = models.FloatField(help_text="0 to 1, by the rule in docs/exercises.md.")
    player = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="progress_markers")
    session = models.ForeignKey("therapy.TherapeuticSession", models.CASCADE, related_name="+")
    run = models.ForeignKey(
        "therapy.ExerciseRun", models.RESTRICT, null=True, blank=True, related_name="markers"
    )
    earned_by = models.CharField(
        max_length=96, help_text="The deed: `run:<id>`, or the rule that recognized it."
    )

    class Meta:
        ordering = ["-achieved_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(therapeutic_value__gte=0) & Q(therapeutic_value__lte=1),
                name="therapeutic_value_0_to_1",
            ),
            models.UniqueConstraint(fields=["player", "earned_by"], name="one_marker_per_deed"),
        ]
        indexes = [models.Index(fields=["player", "-achieved_at"], name="marker_latest")]

    class Privacy:
        fields = {
            "marker_id": "technical",
            "marker_type": "clinical",
            "description": "words",
            "achieved_at": "clinical",
            "therapeutic_value": "clinical",
            "player": "identity",
            "session": "technical",
            "run": "clinical",
            "earned_by": "technical",
        }

    def __str__(self) -> str:
        return f"{self.achieved_at:%Y-%m-%d %H:%M}"
