"""Who looks after whom. Whoever may change this decides who reads what, so each change is on record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from privacy import audit
from therapy.admin.players import account_fields
from therapy.models import CareAssignment

if TYPE_CHECKING:
    Base = admin.ModelAdmin[CareAssignment]
else:
    Base = admin.ModelAdmin

PEOPLE = ("clinician", "player")


@admin.register(CareAssignment)
class CareAssignmentAdmin(Base):
    """An assignment begins and ends, and is never rewritten: the audit trail then tells it as it was.

    The admin's add and delete pages are transactions themselves; its actions are not.
    """

    date_hierarchy = "assigned_at"
    list_display = ("player", "clinician", "assigned_at")
    list_select_related = PEOPLE
    raw_id_fields = PEOPLE
    search_fields = account_fields("clinician") + account_fields("player")
    fields = PEOPLE

    def has_change_permission(self, request: HttpRequest, obj: CareAssignment | None = None) -> bool:
        return False

    def get_autocomplete_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """A search box where the portal's user admin can be searched; otherwise the lookup window."""
        is_known = self.admin_site.is_registered(get_user_model())
        return PEOPLE if is_known and self.admin_site.get_model_admin(get_user_model()).search_fields else ()

    def save_model(
        self, request: HttpRequest, obj: CareAssignment, form: ModelForm[Any], change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        self._record("assign", request, obj)

    def delete_model(self, request: HttpRequest, obj: CareAssignment) -> None:
        self._record("unassign", request, obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[CareAssignment]) -> None:
        with transaction.atomic():
            for assignment in queryset.select_for_update():
                self._record("unassign", request, assignment)
            super().delete_queryset(request, queryset)

    def _record(self, action: str, request: HttpRequest, assignment: CareAssignment) -> None:
        clinician = assignment.clinician_id
        audit.record(
            action, by=request.user, player=assignment.player_id, object_type="care", object_id=clinician
        )
