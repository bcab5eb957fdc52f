"""What all admin pages of players' rows share: only one's own players, nothing to change, each reading on record."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.admin.filters import RelatedFieldListFilter
from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db import models, router, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.formats import date_format
from django.utils.timezone import localtime

from privacy import audit
from therapy.access import may_see, players_in_care, visible_to

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin  # generic for the type checker only

User = get_user_model()
#: What the admin's lists show for None; its detail pages would say "None" of a computed field.
EMPTY = "-"


def written(moment: datetime | None) -> str:
    """A moment as the rest of the admin writes it."""
    return EMPTY if moment is None else date_format(localtime(moment), "DATETIME_FORMAT")


def account_fields(path: str) -> tuple[str, ...]:
    """The searchable fields of an account on whatever user model the portal has, seen from `path`."""
    names = (User.USERNAME_FIELD, User.get_email_field_name())
    return tuple(f"{path}__{name}" for name in names if _has_field(name))


def _has_field(name: str) -> bool:
    try:
        User._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True


class VisiblePlayersFilter(RelatedFieldListFilter):
    """Offers the players in the clinician's care; the names of others are none of their business."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Any:
        mine = {"pk__in": players_in_care(request.user)}
        return field.get_choices(include_blank=False, limit_choices_to=mine, ordering=(User.USERNAME_FIELD,))


class PlayerRowsAdmin(Base):
    """Base of every admin of a model with a `player`. List pages must show no words: they leave no audit event."""

    #: What a row is called in the audit trail.
    audited_as: str
    list_select_related: ClassVar[tuple[str, ...]] = ("player",)
    list_per_page = 50
    change_form_template = "therapy/admin/row.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) and (
            obj is None or may_see(request.user, obj.player_id)
        )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).filter(visible_to(request.user))

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic(using=router.db_for_write(self.model)):
            return super().changeform_view(request, *args, **kwargs)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = kwargs["obj"]
        audit.record(
            "read", by=request.user, player=row.player_id, object_type=self.audited_as, object_id=row.pk
        )
        context["subtitle"] = str(row.player)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="player", ordering=f"player__{User.USERNAME_FIELD}")
    def player_name(self, row: Any) -> str:
        """Plain: the admin would link to the account, which a clinician has no business with."""
        return str(row.player)
