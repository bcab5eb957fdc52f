"""Crisis episodes: when, how near, of what kind, why the detector thought so, and what the clinic did about them.

Not what was said. Acts are POSTs to addresses of their own; the rows themselves are edited by nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, QuerySet, TextField, Value, When
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import now
from django.views.decorators.http import require_POST

from privacy.admin import names_of
from therapy.admin.players import EMPTY, PlayerRowsAdmin, VisiblePlayersFilter, account_fields, written
from therapy.crisis import events
from therapy.crisis.assessment import CRISIS_TYPES, Level
from therapy.crisis.helplines import HELPLINES
from therapy.crisis.notices import GIVEN_UP_AFTER
from therapy.journal import StaleStateError
from therapy.models import CrisisEvent, CrisisNotice

if TYPE_CHECKING:
    Inline = admin.TabularInline[CrisisNotice, CrisisEvent]
else:
    Inline = admin.TabularInline

NOTE_MAX = 4000
_LEVELS = [level.label for level in sorted(Level, reverse=True) if level >= Level.ELEVATED]
_STANDING = Case(*(When(status=status, then=Value(n)) for n, status in enumerate(CrisisEvent.Status)))

_LINES = {line.id: f"{line.name} ({line.method} {line.info})" for line in HELPLINES}


def _readable(names: Iterable[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)


def _turn(entry: dict[str, Any]) -> tuple[str, ...]:
    return (
        written(datetime.fromisoformat(entry["at"])),
        _readable([entry["level"]]),
        _readable(entry["types"]),
        _readable(dict.fromkeys(reason["rule"] for reason in entry["reasons"])),
        ", ".join(_LINES.get(resource, resource) for resource in entry["resources"]),
    )


def _act(by: str, at: datetime | None) -> str:
    return f"{names_of([by]).get(by, by)}, {written(at)}" if at else EMPTY


def _is_back(event: CrisisEvent) -> bool:
    """Whether danger was seen again after a clinician had acknowledged it."""
    seen_at = event.acknowledged_at
    return event.status == CrisisEvent.Status.ACKNOWLEDGED and bool(seen_at and event.last_seen_at > seen_at)


def _badge(kind: str, name: str, text: str) -> SafeString:
    """What is said in colour is said in words as well."""
    return format_html('<span class="crisis-badge crisis-{}-{}">{}</span>', kind, name, text)


class LevelFilter(admin.SimpleListFilter):
    title, parameter_name = "level", "level"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(level, level) for level in _LEVELS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CrisisEvent]) -> QuerySet[CrisisEvent]:
        return queryset.filter(level=self.value()) if self.value() in _LEVELS else queryset


class TypeFilter(admin.SimpleListFilter):
    title, parameter_name = "type", "type"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(kind, _readable([kind])) for kind in CRISIS_TYPES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """By the list's text: SQLite can't look into a JSON list."""
        if self.value() not in CRISIS_TYPES:
            return queryset
        listed: QuerySet[Any] = queryset.annotate(listed_types=Cast("types", TextField()))
        return listed.filter(listed_types__contains=f'"{self.value()}"')


class ResolveForm(forms.Form):
    outcome = forms.ChoiceField(choices=[("", "Choose how it ended"), *CrisisEvent.Outcome.choices])
    note = forms.CharField(
        required=False, max_length=NOTE_MAX, widget=forms.Textarea(attrs={"rows": 4, "maxlength": NOTE_MAX})
    )
    note.help_text = "For the clinic. Encrypted, and never shown to the player."


class NoticeInline(Inline):
    """How the clinic was told."""

    model = CrisisNotice
    can_delete = False
    fields = readonly_fields = (
        "channel",
        "told_level",
        "created_at",
        "attempts",
        "sent_at",
        "next_try",
        "problem",
    )
    ordering = ("-created_at",)
    verbose_name_plural = "notices to the clinic"

    def has_add_permission(self, request: HttpRequest, obj: CrisisEvent | None = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission

    def has_view_permission(self, request: HttpRequest, obj: CrisisEvent | None = None) -> bool:
        """It stands on the event's page only, and who may see that may see this."""
        return True

    @admin.display(description="level told")
    def told_level(self, notice: CrisisNotice) -> str:
        return _readable([notice.level])

    @admin.display(description="tried next")
    def next_try(self, notice: CrisisNotice) -> str:
        if notice.sent_at is not None:
            return EMPTY
        return "given up" if notice.due_at > now() + GIVEN_UP_AFTER else written(notice.due_at)


@admin.register(CrisisEvent)
class CrisisEventAdmin(PlayerRowsAdmin):
    audited_as = "crisis"
    change_form_template = "therapy/admin/crisis_event.html"
    date_hierarchy = "opened_at"
    inlines = (NoticeInline,)
    list_display = ("player_name", "standing", "gravity", "kinds", "last_seen_at", "opened_at")
    list_filter = (
        ("player", VisiblePlayersFilter),
        "status",
        LevelFilter,
        TypeFilter,
        "outcome",
        "opened_at",
        "last_seen_at",
    )
    ordering = (_STANDING, "-last_seen_at")
    search_fields = account_fields("player")
    fields = readonly_fields = (
        "player_name",
        "standing",
        "gravity",
        "kinds",
        "opened_at",
        "last_seen_at",
        "acknowledged",
        "resolved",
        "outcome",
        "note_read",
        "turns",
    )

    class Media:
        css = {"all": ["therapy/admin.css"]}

    # --- what is shown -----------------------------------------------------------------------------

    @admin.display(description="status", ordering=_STANDING)
    def standing(self, event: CrisisEvent) -> SafeString:
        news = " danger again since" if _is_back(event) else ""
        return format_html("{}{}", _badge("status", event.status, event.get_status_display()), news)

    @admin.display(description="level", ordering="level")
    def gravity(self, event: CrisisEvent) -> SafeString:
        """In the alphabet the levels of a crisis stand as they do by gravity."""
        return _badge("level", event.level, _readable([event.level]))

    @admin.display(description="types")
    def kinds(self, event: CrisisEvent) -> str:
        return _readable(event.types)

    @admin.display(description="acknowledged")
    def acknowledged(self, event: CrisisEvent) -> str:
        return _act(event.acknowledged_by, event.acknowledged_at)

    @admin.display(description="resolved")
    def resolved(self, event: CrisisEvent) -> str:
        return _act(event.resolved_by, event.resolved_at)

    @admin.display(description="clinician's note")
    def note_read(self, event: Any) -> Any:
        return event.note or EMPTY

    @admin.display(description="evidence, turn by turn")
    def turns(self, event: CrisisEvent) -> SafeString:
        heading = ("At", "Level", "Types", "What was found", "Help shown")
        return format_html(
            '<table class="crisis-turns"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>{}',
            format_html_join("", '<th scope="col">{}</th>', ((title,) for title in heading)),
            format_html_join("", "<tr>" + "<td>{}</td>" * len(heading) + "</tr>", map(_turn, event.evidence)),
            "Only the first and the latest turns are kept."
            if len(event.evidence) >= events.EVIDENCE_MAX
            else "",
        )

    # --- what is done ------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        acts = {"acknowledge": self.acknowledge, "resolve": self.resolve, "tell_again": self.tell_again}
        return [
            path(
                f"<uuid:event_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"therapy_crisisevent_{name}",
            )
            for name, view in acts.items()
        ] + super().get_urls()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["resolve_form"] = ResolveForm(label_suffix="")
        return super().render_change_form(request, context, *args, **kwargs)

    @method_decorator(require_POST)
    def acknowledge(self, request: HttpRequest, event_id: UUID) -> HttpResponse:
        event = self._own(request, event_id)
        if self._do(request, event, lambda: events.acknowledge(event.pk, by=request.user)):
            messages.success(request, "Acknowledged. The others who look after this player see it now.")
        return self._page_of(event)

    @method_decorator(require_POST)
    def resolve(self, request: HttpRequest, event_id: UUID) -> HttpResponse:
        """Where it can't be done, what was written is shown again, so that no note is lost."""
        event, form = self._own(request, event_id), ResolveForm(request.POST, label_suffix="")
        if form.is_valid() and self._do(
            request, event, lambda: events.resolve(event.pk, by=request.user, **form.cleaned_data)
        ):
            messages.success(request, "Resolved. The next sign of danger opens another event.")
            return self._page_of(event)
        event.refresh_from_db(fields=["status"])
        context = {
            "original": event,
            "opts": self.opts,
            "title": "Resolve crisis event",
            "resolve_form": form,
        }
        context |= {"subtitle": str(event.player), "media": self.media}
        context |= self.admin_site.each_context(request)
        return TemplateResponse(request, "therapy/admin/crisis_resolve.html", context)

    @method_decorator(require_POST)
    def tell_again(self, request: HttpRequest, event_id: UUID) -> HttpResponse:
        event = self._own(request, event_id)
        if events.tell_again(event.pk, by=request.user):
            messages.success(request, "The clinic is told again within a few seconds.")
        else:
            messages.error(request, "Nothing was sent: no webhook and no e-mail sender are set up here.")
        return self._page_of(event)

    def _own(self, request: HttpRequest, event_id: UUID) -> CrisisEvent:
        """The event, if it is one of a player whom this clinician looks after."""
        event: CrisisEvent | None = self.get_queryset(request).filter(pk=event_id).first()
        if event is None or not self.has_view_permission(request, event):
            raise PermissionDenied
        return event

    def _do(self, request: HttpRequest, event: CrisisEvent, act: Callable[[], Any]) -> bool:
        try:
            act()
        except StaleStateError:
            event.refresh_from_db()
            is_resolved = event.status == CrisisEvent.Status.RESOLVED
            done = "resolved" if is_resolved else "acknowledged"
            who = self.resolved(event) if is_resolved else self.acknowledged(event)
            messages.warning(request, f"Somebody was quicker. It was {done} by {who}; nothing was changed.")
            return False
        return True

    def _page_of(self, event: CrisisEvent) -> HttpResponseRedirect:
        return HttpResponseRedirect(
            reverse(f"{self.admin_site.name}:therapy_crisisevent_change", args=[event.pk])
        )
