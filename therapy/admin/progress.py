"""What players achieved, and the exercise runs that earned it."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from therapy.admin.export import export_markers
from therapy.admin.players import EMPTY, PlayerRowsAdmin, VisiblePlayersFilter, account_fields, written
from therapy.exercises.catalogue import CATALOGUE
from therapy.models import ExerciseRun, ProgressMarker


def exercise_title(slug: str) -> str:
    """The title a clinician knows; the slug where the catalogue has dropped the exercise."""
    return CATALOGUE[slug].title.get("en") if slug in CATALOGUE else slug


def seconds_against_expected(run: ExerciseRun) -> str:
    expected = f"of {run.seconds_expected} s expected"
    return f"not ended, {expected}" if run.seconds_spent is None else f"{run.seconds_spent} s {expected}"


@admin.register(ExerciseRun)
class ExerciseRunAdmin(PlayerRowsAdmin):
    audited_as = "run"
    date_hierarchy = "started_at"
    list_display = ("player_name", "exercise_name", "started_at", "outcome", "seconds")
    list_filter = (("player", VisiblePlayersFilter), "exercise", "outcome", "started_at")
    ordering = ("-started_at",)
    search_fields = (*account_fields("player"), "exercise")
    fields = readonly_fields = (
        "player_name",
        "exercise_name",
        "started_at",
        "ended_at",
        "seconds",
        "outcome",
        "session",
    )

    @admin.display(description="exercise", ordering="exercise")
    def exercise_name(self, run: ExerciseRun) -> str:
        return exercise_title(run.exercise)

    @admin.display(description="seconds spent")
    def seconds(self, run: ExerciseRun) -> str:
        return seconds_against_expected(run)


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
                "fields": ("deed", "exercise", "started", "ended", "seconds", "outcome", "run_link"),
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

    @admin.display(description="outcome")
    def outcome(self, marker: ProgressMarker) -> str:
        return marker.run.get_outcome_display() if marker.run else EMPTY

    @admin.display(description="run")
    def run_link(self, marker: ProgressMarker) -> str:
        if marker.run is None:
            return EMPTY
        address = reverse(f"{self.admin_site.name}:therapy_exerciserun_change", args=[marker.run.pk])
        return format_html('<a href="{}">{}</a>', address, marker.run)
