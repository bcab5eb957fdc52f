"""Sessions, what players thought of them, and the players' settings. What was said in them is not here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Model, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from privacy import audit
from therapy.access import may_see
from therapy.admin.players import EMPTY, PlayerRowsAdmin, VisiblePlayersFilter, account_fields
from therapy.admin.progress import exercise_title
from therapy.exercises.catalogue import CATALOGUE, Contraindication
from therapy.models import (
    CrisisEvent,
    ExerciseRun,
    Feedback,
    PlayerProfile,
    ProgressMarker,
    TherapeuticSession,
)


@admin.register(TherapeuticSession)
class TherapeuticSessionAdmin(PlayerRowsAdmin):
    audited_as = "session"
    date_hierarchy = "opened_at"
    list_display = ("player_name", "character_id", "world_id", "opened_at", "resumed_at", "closed_at")
    list_filter = (("player", VisiblePlayersFilter), "opened_at")
    ordering = ("-resumed_at",)
    search_fields = (*account_fields("player"), "character_id", "world_id")
    fields = readonly_fields = (
        "player_name",
        "character_id",
        "world_id",
        "opened_at",
        "resumed_at",
        "closed_at",
        "id",
    )


@admin.register(Feedback)
class FeedbackAdmin(PlayerRowsAdmin):
    audited_as = "feedback"
    date_hierarchy = "created_at"
    list_display = ("player_name", "exercise_name", "rating", "has_words", "created_at")
    list_filter = (("player", VisiblePlayersFilter), "exercise", "rating", "created_at")
    ordering = ("-created_at",)
    search_fields = (*account_fields("player"), "exercise")
    fields = readonly_fields = ("player_name", "exercise_name", "rating", "words", "created_at", "session")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(with_words=Q(text__isnull=False))

    @admin.display(description="about")
    def exercise_name(self, feedback: Feedback) -> str:
        return exercise_title(feedback.exercise) if feedback.exercise else "the conversation"

    @admin.display(description="in words", boolean=True)
    def has_words(self, feedback: Any) -> bool:
        return bool(feedback.with_words)

    @admin.display(description="in the player's words")
    def words(self, feedback: Any) -> Any:
        return feedback.text or EMPTY


def _choice(field: str, names: Iterable[tuple[str, str]]) -> forms.MultipleChoiceField:
    column: Any = PlayerProfile._meta.get_field(field)
    return forms.MultipleChoiceField(
        choices=list(names), required=False, widget=forms.CheckboxSelectMultiple, help_text=column.help_text
    )


def _exercises() -> Iterable[tuple[str, str]]:
    return ((slug, exercise_title(slug)) for slug in CATALOGUE)


class LimitsForm(forms.ModelForm):  # type: ignore[type-arg]  # no subscript at run time
    """What exercises a player can do: the one thing of a profile that is the clinicians' to say."""

    contraindications = _choice(
        "contraindications", ((name, name.replace("_", " ")) for name in get_args(Contraindication))
    )
    allowed_exercises = _choice("allowed_exercises", _exercises())
    denied_exercises = _choice("denied_exercises", _exercises())


@admin.register(PlayerProfile)
class PlayerProfileAdmin(PlayerRowsAdmin):
    audited_as = "profile"
    form = LimitsForm
    list_display = ("player_name", "intensity", "approaches", "country", "language")
    list_filter = ("intensity", "language", "country")
    ordering = (f"player__{get_user_model().USERNAME_FIELD}",)
    search_fields = account_fields("player")
    readonly_fields = ("player_name", "intensity", "approaches", "country", "language", "set_out", "see_also")
    fields = (*readonly_fields, "contraindications", "allowed_exercises", "denied_exercises")

    def has_change_permission(self, request: HttpRequest, obj: PlayerProfile | None = None) -> bool:
        is_permitted = request.user.has_perm("therapy.change_playerprofile")
        return is_permitted and obj is not None and may_see(request.user, obj.pk)

    def save_model(self, request: HttpRequest, obj: PlayerProfile, form: LimitsForm, change: bool) -> None:
        """Only what was changed: the row also holds the head of the player's log, which grows meanwhile."""
        with transaction.atomic():
            obj.save(update_fields=form.changed_data)
            audit.record(
                "change", by=request.user, player=obj.pk, object_type=self.audited_as, object_id=obj.pk
            )

    @admin.display(description="goal")
    def set_out(self, profile: PlayerProfile) -> str:
        goal = profile.goal
        return f"{exercise_title(goal['exercise'])}, {goal['times']} times" if goal else EMPTY

    @admin.display(description="preferred approaches")
    def approaches(self, profile: PlayerProfile) -> str:
        return ", ".join(profile.preferred_approaches)

    @admin.display(description="see also")
    def see_also(self, profile: PlayerProfile) -> SafeString:
        kinds = (ProgressMarker, ExerciseRun, Feedback, CrisisEvent, TherapeuticSession)
        return format_html_join(" · ", "{}", ((self._rows_of(profile, kind),) for kind in kinds))

    def _rows_of(self, profile: PlayerProfile, kind: type[Model]) -> SafeString:
        address = reverse(f"{self.admin_site.name}:therapy_{kind._meta.model_name}_changelist")
        condition = f"player__{get_user_model()._meta.pk.name}__exact={profile.pk}"
        return format_html('<a href="{}?{}">{}</a>', address, condition, kind._meta.verbose_name_plural)
