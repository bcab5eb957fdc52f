"""Crisis episodes: when, how near, of what kind, and why the detector thought so. Not what was said."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from privacy.admin import names_of
from therapy.admin.players import EMPTY, PlayerRowsAdmin, VisiblePlayersFilter, account_fields, written
from therapy.models import CrisisEvent


def _readable(names: Iterable[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)


def _turn(entry: dict[str, Any]) -> tuple[str, ...]:
    return (
        written(datetime.fromisoformat(entry["at"])),
        _readable([entry["level"]]),
        _readable(entry["types"]),
        _readable(dict.fromkeys(reason["rule"] for reason in entry["reasons"])),
        ", ".join(entry["resources"]),
    )


def _act(by: str, at: datetime | None) -> str:
    return f"{names_of([by]).get(by, by)}, {written(at)}" if at else EMPTY


@admin.register(CrisisEvent)
class CrisisEventAdmin(PlayerRowsAdmin):
    audited_as = "crisis"
    date_hierarchy = "opened_at"
    list_display = ("player_name", "status", "level_name", "kinds", "opened_at", "last_seen_at")
    list_filter = (("player", VisiblePlayersFilter), "status", "level", "outcome", "opened_at")
    search_fields = account_fields("player")
    fields = readonly_fields = (
        "player_name",
        "status",
        "level_name",
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

    @admin.display(description="level", ordering="level")
    def level_name(self, event: CrisisEvent) -> str:
        return _readable([event.level])

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
            '<table class="crisis-turns"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>',
            format_html_join("", '<th scope="col">{}</th>', ((title,) for title in heading)),
            format_html_join("", "<tr>" + "<td>{}</td>" * len(heading) + "</tr>", map(_turn, event.evidence)),
        )
