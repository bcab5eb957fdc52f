"""Who can help now: the helplines of `helplines.toml`, checked at import, and the choice among them.

A broken file makes the import fail, so that a process which cannot show help never starts. After the
import nothing is read: choosing is a few tuples in memory, and works with everything else down.
A portal adds its own lines through the file that `CRISIS_HELPLINES_FILE` names (docs/crisis-answers.md).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from therapy.crisis.assessment import CrisisType
from therapy.messages import Country, Resource

SHIPPED = Path(__file__).with_name("helplines.toml")
#: ISO 3166 leaves ZZ to its users; here it means any country. A player with no country counts as `UNSET`.
ANYWHERE = "ZZ"
UNSET = "US"
SHOWN_AT_MOST = 6
FRESH_FOR = timedelta(days=365)

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(rf"(?:({'|'.join(_DAYS)})(?:-({'|'.join(_DAYS)}))? )?(\d\d:\d\d)-(\d\d:\d\d)")
_LINKS = {
    "phone": re.compile(r"tel:\+?[0-9*#]+"),
    "text": re.compile(r"sms:\+?[0-9]+(\?&body=[\w%]+)?"),
    "chat": re.compile(r"https://[^\s]+"),
    "website": re.compile(r"https://[^\s]+"),
}


class HelplinesError(ValueError):
    """A helplines file cannot be used. The message names the file, the row and the field."""


class Span(BaseModel):
    """Hours on some days of the week, in the helpline's own time; an end at or before the start is after midnight."""

    model_config = ConfigDict(frozen=True)
    days: frozenset[int]
    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> Span:
        """`09:00-18:00` (every day), `sat 09:00-12:00` or `mon-fri 18:00-02:00`."""
        match = _SPAN.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is neither '24/7' nor like 'mon-fri 09:00-18:00'")
        first, last, start, end = match.groups()
        return cls(days=_days(first, last), start=time.fromisoformat(start), end=time.fromisoformat(end))

    def holds(self, local: datetime) -> bool:
        now, today = local.time(), local.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= now < self.end
        return (today in self.days and now >= self.start) or ((today - 1) % 7 in self.days and now < self.end)


def _days(first: str | None, last: str | None) -> frozenset[int]:
    if first is None:
        return frozenset(range(7))
    start = _DAYS.index(first)
    end = _DAYS.index(last) if last else start
    return frozenset((start + n) % 7 for n in range((end - start) % 7 + 1))


class Helpline(BaseModel):
    """One way to reach one service. `types` empty: any crisis. `audience` empty: everybody.

    `info` is the number as it is dialled, short codes kept (E.164 would make them undialable); `link` is
    what a tap does, and must hold the same digits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    country: Country
    key: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(_[a-z0-9]+)*$", max_length=40)]
    name: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    method: Literal["phone", "text", "chat", "website"]
    info: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    link: Annotated[str, StringConstraints(max_length=200)]
    hours: Literal["24/7"] | Annotated[tuple[str, ...], Field(min_length=1)]
    timezone: Annotated[str | None, Field(validate_default=True)] = None
    languages: Annotated[tuple[str, ...], Field(min_length=1)]
    types: tuple[CrisisType, ...] = ()
    audience: str = ""
    emergency: bool = False
    source: Annotated[str, StringConstraints(min_length=8)]
    verified_at: date

    @field_validator("link")
    @classmethod
    def _reaches_what_info_says(cls, link: str, row: ValidationInfo) -> str:
        method, info = row.data.get("method"), row.data.get("info", "")
        if method and not _LINKS[method].fullmatch(link):
            raise ValueError(f"{link!r} is not a link for method {method!r}")
        if method in ("phone", "text") and _digits(link) not in _digits(info):
            raise ValueError(f"{link!r} has other digits than info {info!r}")
        return link

    @field_validator("hours")
    @classmethod
    def _can_be_told(cls, hours: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if hours != "24/7":
            for text in hours:
                Span.parse(text)
        return hours

    @field_validator("timezone")
    @classmethod
    def _is_known_where_needed(cls, timezone: str | None, row: ValidationInfo) -> str | None:
        if timezone is None and row.data.get("hours", "24/7") != "24/7":
            raise ValueError("hours other than '24/7' need a timezone")
        try:
            if timezone is not None:
                ZoneInfo(timezone)  # read now: nothing is read once the process runs
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{timezone!r} is not a time zone known here") from error
        return timezone

    @cached_property
    def _opening(self) -> tuple[ZoneInfo, tuple[Span, ...]] | None:
        if self.hours == "24/7" or self.timezone is None:
            return None
        return ZoneInfo(self.timezone), tuple(Span.parse(text) for text in self.hours)

    @property
    def id(self) -> str:
        return f"res_{self.country.lower()}_{self.key}_{self.method}"

    @cached_property
    def line(self) -> tuple[str, str]:
        """What answers at the other end, whatever word is texted to it."""
        return self.method, self.link.partition("?")[0]

    def is_open(self, at: datetime) -> bool:
        """`at` is aware; the helpline's own time zone decides."""
        if self._opening is None:
            return True
        zone, spans = self._opening
        local = at.astimezone(zone)
        return any(span.holds(local) for span in spans)

    def resource(self) -> Resource:
        return self._resource

    @cached_property
    def _resource(self) -> Resource:
        hours = "24/7" if self.hours == "24/7" else f"{', '.join(self.hours)} ({self.timezone})"
        return Resource(
            id=self.id,
            label=self.name,
            method=self.method,
            info=self.info,
            link=self.link,
            hours=hours,
            emergency=self.emergency,
        )


def _digits(text: str) -> str:
    return re.sub(r"[^0-9*#]", "", text.partition("?")[0])


# --- reading -----------------------------------------------------------------------------------------


def read(path: Path) -> tuple[Helpline, ...]:
    """The rows of one file, its `[[emergency]]` tables unfolded to one row per country; raises HelplinesError."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise HelplinesError(f"{path}: {error}") from error
    if unknown := set(tables) - {"helpline", "emergency"}:
        raise HelplinesError(
            f"{path}: unknown table {sorted(unknown)[0]!r}; use [[helpline]] or [[emergency]]"
        )
    rows = [row for table in tables.get("emergency", ()) for row in _unfold(table)] + tables.get(
        "helpline", []
    )
    helplines = tuple(_validated(path, number, row) for number, row in enumerate(rows, start=1))
    seen: set[str] = set()
    for helpline in helplines:
        if helpline.id in seen:
            raise HelplinesError(f"{path}: {helpline.id} stands there twice; give one another key")
        seen.add(helpline.id)
    return helplines


def _unfold(table: dict[str, Any]) -> Iterable[dict[str, Any]]:
    number = table.get("number", "")
    shared = {name: value for name, value in table.items() if name not in ("countries", "number")}
    for country in table.get("countries", ()):
        defaults = {"key": f"emergency_{number}", "name": f"Emergency {number}", "languages": ["*"]}
        call = {
            "method": "phone",
            "hours": "24/7",
            "info": number,
            "link": f"tel:{number}",
            "emergency": True,
        }
        yield {**defaults, **call, **shared, "country": country}


def _validated(path: Path, number: int, row: dict[str, Any]) -> Helpline:
    try:
        return Helpline.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        place = f"row {number} ({row.get('country', '?')} {row.get('key', '?')} {row.get('method', '?')})"
        raise HelplinesError(f"{path}: {place}, field {field}: {first['msg']}") from error


def load() -> tuple[Helpline, ...]:
    """The portal's own rows first, then the shipped ones; a portal's row replaces the shipped one of the same id."""
    own = read(Path(name)) if (name := os.environ.get("CRISIS_HELPLINES_FILE")) else ()
    replaced = {row.id for row in own}
    return own + tuple(row for row in read(SHIPPED) if row.id not in replaced)


def _by_country(rows: Sequence[Helpline]) -> dict[str, tuple[Helpline, ...]]:
    countries = {row.country for row in rows}
    grouped = {country: tuple(row for row in rows if row.country == country) for country in countries}
    here = grouped.get(ANYWHERE, ())
    if not any(row.emergency for row in here) or not any(not row.emergency for row in here):
        raise HelplinesError(
            f"{SHIPPED}: country {ANYWHERE} needs an emergency number and a directory of helplines"
        )
    return grouped


HELPLINES = load()
_COUNTRIES = _by_country(HELPLINES)


# --- choosing ----------------------------------------------------------------------------------------


def helplines_for(
    *,
    country: str | None,
    types: Sequence[CrisisType] = (),
    language: str = "en",
    at: datetime,
    imminent: bool = False,
) -> tuple[Helpline, ...]:
    """At most six ways to reach somebody at the moment `at` (aware), the most fitting first; never empty.

    Country first, then what is open, then the type, then the language. An emergency number is always
    among them: first where danger is imminent, else last. A country without a row of its own gets the
    emergency number that mobile phones know everywhere, and a directory of helplines.
    """
    rows = _COUNTRIES.get(country or UNSET, ())
    lines = _fitting([row for row in rows if not row.emergency and row.is_open(at)], types, language)
    emergency = [row for row in rows if row.emergency] or [
        row for row in _COUNTRIES[ANYWHERE] if row.emergency
    ]
    if not lines:
        lines = [row for row in _COUNTRIES[ANYWHERE] if not row.emergency]
    lines = lines[: SHOWN_AT_MOST - len(emergency)]
    return tuple(emergency + lines if imminent else lines + emergency)


def _fitting(rows: list[Helpline], types: Sequence[CrisisType], language: str) -> list[Helpline]:
    """Best first; one service often stands there once per language: only its best row stays."""
    rows = [row for row in rows if not row.types or any(kind in row.types for kind in types)]
    rows.sort(key=lambda row: (_rank(row, types), language not in row.languages, row.audience != ""))
    best: dict[tuple[str, str], Helpline] = {}
    for row in rows:
        best.setdefault(row.line, row)
    return list(best.values())


def _rank(row: Helpline, types: Sequence[CrisisType]) -> int:
    """A line for what was found comes before the general ones, but after them where life is in danger."""
    if not row.types:
        return 1
    return 2 if "suicidal_ideation" in types or "self_harm" in types else 0


def stale(rows: Sequence[Helpline], today: date) -> tuple[Helpline, ...]:
    """The rows that nobody has compared with their source for 12 months."""
    return tuple(row for row in rows if today - row.verified_at > FRESH_FOR)
