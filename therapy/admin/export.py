"""The export of progress markers as CSV (RFC 4180), for the clinician's own papers."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.handlers.asgi import ASGIRequest
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from privacy import audit
from therapy.database import in_database
from therapy.models import ProgressMarker

if TYPE_CHECKING:
    from therapy.admin.progress import ProgressMarkerAdmin

BATCH = 500
COLUMNS = (
    "marker_id",
    "player",
    "marker_type",
    "description",
    "achieved_at",
    "therapeutic_value",
    "earned_by",
    "exercise",
    "started_at",
    "ended_at",
    "seconds_spent",
    "seconds_expected",
    "steps_seen",
    "steps_total",
    "mood_before",
    "mood_after",
    "outcome",
)


def harmless(cell: object) -> str:
    """A cell that no spreadsheet takes for a formula: OWASP's "CSV Injection" page, full-width signs included."""
    text = "" if cell is None else str(cell)
    is_formula = (
        text.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠")) or text[:1] in "\t\r\n"
    )
    return f"'{text}" if text and is_formula else text


def _cells(marker: ProgressMarker) -> Iterator[object]:
    yield from (marker.marker_id, marker.player, marker.marker_type, marker.description)
    yield from (marker.achieved_at.isoformat(), round(marker.therapeutic_value, 4), marker.earned_by)
    if (run := marker.run) is not None:
        yield from (run.exercise, run.started_at.isoformat(), run.ended_at and run.ended_at.isoformat())
        yield from (run.seconds_spent, run.seconds_expected, run.steps_seen, run.steps_total)
        yield from (run.mood_before, run.mood_after, run.outcome)


def _lines(rows: Iterator[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([harmless(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _read(markers: QuerySet[ProgressMarker], by: object) -> bytes:
    """Some rows and the audit events of reading them, one per player, in one transaction."""
    with transaction.atomic():
        rows = list(markers)
        for player_id, count in Counter(row.player_id for row in rows).items():
            audit.record("export", by=by, player=player_id, object_type="marker", count=count)
        return _lines(tuple(_cells(row)) for row in rows)


def _batches(markers: QuerySet[ProgressMarker], by: object) -> Iterator[bytes]:
    """Transactions are short, a batch each: a slow download must not hold up the players' turns."""
    keys = list(markers.values_list("pk", flat=True))
    yield b"\xef\xbb\xbf" + _lines(iter([COLUMNS]))  # the mark without which Excel guesses the encoding
    for start in range(0, len(keys), BATCH):
        yield _read(markers.filter(pk__in=keys[start : start + BATCH]), by)


async def _off_the_loop(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    while part := await in_database(next, parts, b""):
        yield part


@admin.action(description="Export the selected markers as CSV", permissions=["view"])
def export_markers(
    model_admin: ProgressMarkerAdmin, request: HttpRequest, queryset: QuerySet[ProgressMarker]
) -> StreamingHttpResponse:
    markers = queryset.select_related("player", "run").order_by("player", "-achieved_at", "pk")
    parts = _batches(markers, request.user)
    parts = chain([next(parts), next(parts, b"")], parts)  # read once before promising a file
    body: Any = _off_the_loop(parts) if isinstance(request, ASGIRequest) else parts
    name = f"progress-markers-{timezone.localdate():%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(body, content_type="text/csv; charset=utf-8", headers=headers)
