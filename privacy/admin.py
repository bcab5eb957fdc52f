"""The audit trail, to be read and searched by those with its view permission. Nobody changes or deletes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from privacy.models import AuditEvent

if TYPE_CHECKING:
    Base = admin.ModelAdmin[AuditEvent]
else:
    Base = admin.ModelAdmin

User = get_user_model()


def _keys(texts: Iterable[str]) -> list[Any]:
    """Those that can be primary keys of accounts; 'system' mostly can't."""
    keys = []
    for text in set(texts):
        try:
            keys.append(User._meta.pk.to_python(text))
        except ValidationError:
            continue
    return keys


def names_of(texts: Iterable[str]) -> dict[str, str]:
    """Names of the accounts with these primary keys, in one query. Erased accounts are missing."""
    return {str(account.pk): str(account) for account in User._default_manager.filter(pk__in=_keys(texts))}


def name_people(events: Iterable[AuditEvent]) -> None:
    """Put the names of the accounts beside the events."""
    events = list(events)
    names = names_of(key for event in events for key in (event.actor, event.player))
    for event in events:
        event.names = names  # type: ignore[attr-defined]  # for the display functions below


class NamingChangeList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        name_people(self.result_list)


@admin.register(AuditEvent)
class AuditEventAdmin(Base):
    date_hierarchy = "at"
    list_display = ("at", "actor_name", "action", "object_type", "count", "player_name")
    list_filter = ("action", "object_type", "at")
    search_fields = ("=actor", "=player", "=object_id")
    search_help_text = "A whole user name, or the id of an account or object."
    show_full_result_count = False
    fields = readonly_fields = (
        "at",
        "actor_name",
        "action",
        "object_type",
        "object_id",
        "count",
        "player_name",
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AuditEvent | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuditEvent | None = None) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NamingChangeList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> AuditEvent | None:
        event = super().get_object(request, object_id, from_field)
        if event is not None:
            name_people([event])
        return event

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEvent], search_term: str
    ) -> tuple[QuerySet[AuditEvent], bool]:
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        accounts = User._default_manager.filter(**{User.USERNAME_FIELD: search_term})
        keys = [str(key) for key in accounts.values_list("pk", flat=True)]
        return found | queryset.filter(Q(actor__in=keys) | Q(player__in=keys)), may_repeat

    @admin.display(description="who", ordering="actor")
    def actor_name(self, event: Any) -> str:
        return str(event.names.get(event.actor, event.actor))

    @admin.display(description="about player", ordering="player")
    def player_name(self, event: Any) -> str:
        return str(event.names.get(event.player, event.player))
