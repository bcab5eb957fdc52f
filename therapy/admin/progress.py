"""What players achieved, and the exercise runs that earned it."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from therapy.admin.export import export_markers
from therapy.admin.players import EMPTY, PlayerRowsAdmin, VisiblePlayersFilter, account_fields, written
from therapy.exercises.catalogue import CATALOGUE
from therapy.models import ExerciseRun, ProgressMarker


def exercise_title(slug: str) -> str:
    """The title a clinician knows; the slug where the catalogue has dropped the exercise."""
    return CATALOGUE[slug].title.get("en") if slug in CATALOGUE else slug


def seconds_against_expected(run: ExerciseRun) -> str:
    expected = f"of {run.seconds_expected} s expected"
    return f"not ended, {expected}" if run.ended_at is None else f"{run.seconds_spent} s {expected}"


def steps_of_all(run: ExerciseRun) -> str:
    return f"{run.steps_seen} of {run.steps_total}"


def moods(run: ExerciseRun) -> str:
    """From 0, very bad, to 10, very good."""
    before, after = (EMPTY if mood is None else mood for mood in (run.mood_before, run.mood_after))
    return f"before {before}, after {after}"


def words_of(run: ExerciseRun) -> str:
    """A worksheet's questions with what the player wrote; for pages whose reading is on record."""
    answers: dict[str, str] = (run.walk or {}).get("answers", {})
    if not answers:
        return EMPTY
    steps = CATALOGUE[run.exercise].steps if run.exercise in CATALOGUE else ()
    prompts = {step.field: step.prompt.get("en") for step in steps if step.field and step.prompt}
    rows = ((prompts.get(field, field), words) for field, words in answers.items())
    return format_html("<dl>{}</dl>", format_html_join("", "<dt>{}</dt><dd>{}</dd>", rows))


@admin.register(ExerciseRun)
class ExerciseRunAdmin(PlayerRowsAdmin):
    audited_as = "run"
    date_hierarchy = "started_at"
    list_display = ("player_name", "exercise_name", "started_at", "outcome", "seconds", "steps", "mood")
    list_filter = (("player", VisiblePlayersFilter), "exercise", "outcome", "started_at")
    ordering = ("-started_at",)
    search_fields = (*account_fields("player"), "exercise")
    fields = readonly_fields = (
        "player_name",
        "exercise_name",
        "started_at",
        "ended_at",
        "seconds",
        "steps",
        "mood",
        "outcome",
        "words",
        "session",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExerciseRun]:
        """Lists leave no audit event: they don't even fetch the words."""
        return super().get_queryset(request).defer("walk")

    @admin.display(description="exercise", ordering="exercise")
    def exercise_name(self, run: ExerciseRun) -> str:
        return exercise_title(run.exercise)

    @admin.display(description="seconds spent")
    def seconds(self, run: ExerciseRun) -> str:
        return seconds_against_expected(run)

    @admin.display(description="steps seen")
    def steps(self, run: ExerciseRun) -> str:
        return steps_of_all(run)

    @admin.display(description="mood (0 to 10)")
    def mood(self, run: ExerciseRun) -> str:
        return moods(run)

    @admin.display(description="in the player's words")
    def words(self, run: ExerciseRun) -> str:
        return words_of(run)


@admin.register(ProgressMarker)
class ProgressMarkerAdmin(PlayerRowsAdmin):
    audited_as = "marker"
    actions = (export_markers,)
    date_hierarchy = "achieved_at"
    list_display = ("player_name", "marker_type", "exercise", "achieved_at", "value")
    list_filter = (("player", VisiblePlayersFilter), "marker_type", "achieved_at")
    list_select_related = ("player", "run")
    search_fields = (*account_fields("player"), "marker_id", "run__exercise")
    readonly_fields = (
        "player_name",
        "description_read",
        "value",
        "deed",
        "exercise",
        "started",
        "ended",
        "seconds",
        "steps",
        "mood",
        "outcome",
        "run_link",
    )
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "player_name",
                    "marker_type",
                    "description_read",
                    "achieved_at",
                    "value",
                    "marker_id",
                )
            },
        ),
        (
            "Evidence",
            {
                "fields": (
                    "deed",
                    "exercise",
                    "started",
                    "ended",
                    "seconds",
                    "steps",
                    "mood",
                    "outcome",
                    "run_link",
                ),
                "description": "What the player did to earn this marker.",
            },
        ),
    )

    @admin.display(description="description")
    def description_read(self, marker: ProgressMarker) -> str:
        return str(marker.description)

    @admin.display(description="value (0 to 1)", ordering="therapeutic_value")
    def value(self, marker: ProgressMarker) -> str:
        return f"{marker.therapeutic_value:.2f}"

    @admin.display(description="earned by")
    def deed(self, marker: ProgressMarker) -> str:
        return "this exercise run" if marker.earned_by == f"run:{marker.run_id}" else marker.earned_by

    @admin.display(description="exercise", ordering="run__exercise")
    def exercise(self, marker: ProgressMarker) -> str:
        return exercise_title(marker.run.exercise) if marker.run else EMPTY

    @admin.display(description="started")
    def started(self, marker: ProgressMarker) -> str:
        return written(marker.run.started_at) if marker.run else EMPTY

    @admin.display(description="ended")
    def ended(self, marker: ProgressMarker) -> str:
        return written(marker.run.ended_at) if marker.run else EMPTY

    @admin.display(description="seconds spent")
    def seconds(self, marker: ProgressMarker) -> str:
        return seconds_against_expected(marker.run) if marker.run else EMPTY

    @admin.display(description="steps seen")
    def steps(self, marker: ProgressMarker) -> str:
        return steps_of_all(marker.run) if marker.run else EMPTY

    @admin.display(description="mood (0 to 10)")
    def mood(self, marker: ProgressMarker) -> str:
        return moods(marker.run) if marker.run else EMPTY

    @admin.display(description="outcome")
    def outcome(self, marker: ProgressMarker) -> str:
        return marker.run.get_outcome_display() if marker.run else EMPTY

    @admin.display(description="run")
    def run_link(self, marker: ProgressMarker) -> str:
        if marker.run is None:
            return EMPTY
        address = reverse(f"{self.admin_site.name}:therapy_exerciserun_change", args=[marker.run.pk])
        return format_html('<a href="{}">{}</a>', address, marker.run)
