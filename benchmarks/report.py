"""Prints what was measured, always beside what it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.__main__ import Subject

GROWTH = {
    "alone": "10 players, no others",
    "among": "10 players among 100,000 with a million messages",
    "long": "10 players with 20,000 messages each",
}
#: Above this share of its core, the load generator rather than the server may be what is measured.
CLIENT_LIMIT = 0.9


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[n]) for row in [header, *rows]) for n in range(len(header))]
    print(f"\n{title}\n")
    for row in [header, ["-" * width for width in widths], *rows]:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)),
        ]
        print("  ".join(cells).rstrip())


def _busy(share: float) -> str:
    return f"{share:.0%}{' *' if share > CLIENT_LIMIT else ''}"


def print_comparison(subjects: Sequence[Subject], sizes: Sequence[int], rate: int) -> None:
    for size in sizes:
        what = f"closed {size}"
        bare = subjects[0].medians(what)
        rows = []
        for subject in subjects:
            found = subject.medians(what)
            if found is None or bare is None:
                continue
            usual = next(
                (
                    s.medians(what)
                    for s in subjects
                    if s.name.startswith("(c)") and s.name[-6:] == subject.name[-6:]
                ),
                None,
            )
            times = found.messages_a_second / usual.messages_a_second if usual else 0.0
            rows.append(
                [
                    subject.name,
                    f"{found.messages_a_second:,.0f}",
                    f"{found.messages_a_second / bare.messages_a_second:.2f}",
                    f"{times:.1f}" if times and subject.name.startswith("(d)") else "",
                    f"{found.cpu:.0f}",
                    f"{found.p50:.1f}",
                    f"{found.p99:.1f}",
                    _busy(found.client_busy),
                    str(round(found.errors)),
                ]
            )
        header = ["", "messages/s", "of (a)", "x (c)", "CPU us/msg", "p50 ms", "p99 ms", "client", "errors"]
        _table(f"{size} connections, each sends when it was answered", header, rows)
    print_rate(subjects, rate)


def print_rate(subjects: Sequence[Subject], rate: int) -> None:
    rows = []
    for subject in subjects:
        found = subject.medians("rate")
        if found is not None:
            figures = [f"{found.messages_a_second:,.0f}", f"{found.p50:.1f}", f"{found.p99:.1f}"]
            connects = f"{found.connects_a_second:,.0f}"
            rows.append([subject.name, *figures, f"{found.cpu:.0f}", connects, str(round(found.errors))])
    header = ["", "answers/s", "p50 ms", "p99 ms", "CPU us/msg", "connects/s", "errors"]
    _table(f"{rate:,} messages a second over 1,000 connections, timed from when each was due", header, rows)


def print_idle(subjects: Sequence[Subject]) -> None:
    rows = [
        [subject.name, f"{found.memory:.1f}", f"{found.connects_a_second:,.0f}"]
        for subject in subjects
        if (found := subject.medians("idle")) is not None
    ]
    _table("Idle connections on one fresh process", ["", "KB each", "connects/s"], rows)


def print_workers(subjects: Sequence[Subject]) -> None:
    if not subjects:
        return
    found = [result for subject in subjects if (result := subject.medians("closed 1000")) is not None]
    rows = [
        [
            subject.name,
            f"{result.messages_a_second:,.0f}",
            f"{result.messages_a_second / found[0].messages_a_second:.2f}",
            f"{result.cpu:.0f}",
            _busy(result.client_busy),
        ]
        for subject, result in zip(subjects, found, strict=True)
    ]
    header = ["", "messages/s", "ratio", "CPU us/msg", "client"]
    _table(
        "Workers, with Redis between them (the load generator and the database use cores too)", header, rows
    )


def print_growth(subjects: Sequence[Subject]) -> None:
    if not subjects:
        return
    rows = []
    for place, subject in enumerate(subjects):
        found, alone = subject.medians("closed 10"), subjects[place - place % 3].medians("closed 10")
        if found is None or alone is None:
            continue
        first = found.first_answers
        rows.append(
            [
                subject.name,
                f"{found.messages_a_second:,.0f}",
                f"{found.messages_a_second / alone.messages_a_second:.2f}",
                f"{found.cpu:.0f}",
                f"{first[len(first) // 2]:.1f}",
            ]
        )
    header = ["", "messages/s", "ratio", "CPU us/msg", "first answer ms"]
    _table("Does a message cost more among more players, or after a longer history?", header, rows)
