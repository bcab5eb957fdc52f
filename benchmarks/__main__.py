"""One run, side by side: what the server can do, what Channels does, what is usual, and this product whole.

`python -m benchmarks` takes about 13 minutes, with BENCH=short two. `python -m benchmarks workers growth` runs these parts
alone. docs/performance.md says how to read it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import report
from benchmarks.load import Load, Result
from benchmarks.services import (
    ROOT,
    Server,
    postgresql,
    redis,
    run_product,
    sqlite_url,
    start_asgi,
    start_product,
)

IS_SHORT = os.environ.get("BENCH") == "short"
SECONDS, REPETITIONS = (1.5, 1) if IS_SHORT else (2.5, 3)
SIZES = (100, 1000)
IDLE_SIZES = (1000,) if IS_SHORT else (1000, 5000)
RATE = 1000
OTHERS, MESSAGES, HISTORY = 100_000, 1_000_000, 20_000
SETTLE_SECONDS = 0.7


@dataclass
class Subject:
    """One thing measured, and what was measured of it, by the name of the measurement."""

    name: str
    server: Server
    options: dict[str, Any] = field(default_factory=dict)
    results: dict[str, list[Result]] = field(default_factory=dict)

    def measure(self, what: str, **load: Any) -> Result:
        given = Load(port=self.server.port, pids=self.server.pids, **{**self.options, **load})
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.load"],
            input=json.dumps(asdict(given)).encode(),
            stdout=subprocess.PIPE,
            check=True,
            cwd=ROOT,
        )
        result = Result(**json.loads(done.stdout))
        self.results.setdefault(what, []).append(result)
        time.sleep(SETTLE_SECONDS)
        return result

    def medians(self, what: str) -> Result | None:
        """Of several repetitions the median, each figure by itself."""
        found = self.results.get(what)
        if not found:
            return None
        merged = {
            name: median(getattr(result, name) for result in found)
            for name in asdict(found[0])
            if name != "first_answers"
        }
        return Result(**merged, first_answers=found[-1].first_answers)


class Bench:
    """Starts what is measured; `stack` stops it."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.stack, self.folder = stack, folder
        self.make_postgresql = stack.enter_context(postgresql(folder))
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)
        print(text, flush=True)

    def databases(self) -> list[str]:
        return ["SQLite"] + (["PostgreSQL"] if self.make_postgresql else [])

    def url(self, database: str, name: str) -> str:
        if database == "SQLite":
            return sqlite_url(self.folder, name)
        assert self.make_postgresql is not None
        return self.make_postgresql(name)

    def echo(self) -> Subject:
        return self._add("(a) bare ASGI echo", start_asgi("benchmarks.echo:application", self.folder))

    def stock(self, database: str, kind: str) -> Subject:
        url = self.url(database, f"stock_{kind}")
        server = start_asgi("benchmarks.stock:application", self.folder, DATABASE_URL=url, STOCK_TABLE="1")
        name = "(b) Channels echo" if kind == "echo" else f"(c) usual, {database}"
        return self._add(name, server, path=f"/{kind}")

    def product(self, database: str, name: str, players: list[int], **environment: str) -> Subject:
        """This product on a database of its own with so many players (see benchmarks.players)."""
        url = self.url(database, name)
        tokens = str(self.folder / f"{name}.{database}.tokens")
        run_product(["manage.py", "migrate", "--verbosity", "0"], DATABASE_URL=url)
        run_product(["-m", "benchmarks.players", tokens, *map(str, players)], DATABASE_URL=url)
        server = start_product(self.folder, DATABASE_URL=url, **environment)
        options = {"path": "/ws/chat", "tokens": tokens, "has_welcome": True}
        return self._add(f"(d) this, {database}", server, **options)

    def _add(self, name: str, server: Server, **options: Any) -> Subject:
        self.stack.callback(server.stop)
        return Subject(name, server, options)


def compare(bench: Bench) -> list[Subject]:
    """All subjects by turns, so that whatever else the machine does falls on all alike."""
    subjects = [bench.echo(), bench.stock("SQLite", "echo")]
    for database in bench.databases():
        subjects += [bench.stock(database, "usual"), bench.product(database, "compared", [max(SIZES)])]
    for _ in range(REPETITIONS):
        for size in SIZES:
            for subject in subjects:
                subject.measure(f"closed {size}", connections=size, mode="closed", seconds=SECONDS)
        for subject in subjects:
            subject.measure("rate", connections=max(SIZES), mode="rate", rate=RATE, seconds=SECONDS)
    report.print_comparison(subjects, SIZES, RATE)
    return subjects


def hold_idle(bench: Bench) -> list[Subject]:
    subjects = []
    for size in IDLE_SIZES:
        for subject in (bench.echo(), bench.product("SQLite", f"idle{size}", [size])):
            subject.name += f", {size} idle"
            subject.measure("idle", connections=size, mode="idle", seconds=2)
            subject.server.stop()
            subjects.append(subject)
    report.print_idle(subjects)
    return subjects


def compare_workers(bench: Bench) -> list[Subject]:
    """One worker against two, both with Redis between them."""
    url = bench.stack.enter_context(redis(bench.folder))
    if url is None or bench.make_postgresql is None:
        bench.note("Skipped: two workers against one (needs redis-server and PostgreSQL).")
        return []
    subjects = []
    for workers in (1, 2):
        environment = {"REDIS_URL": url, "WORKERS": str(workers)}
        subject = bench.product("PostgreSQL", f"workers{workers}", [1000], **environment)
        subject.name += f", {workers} worker{'s' * (workers > 1)}"
        subjects.append(subject)
    for _ in range(REPETITIONS):
        for subject in subjects:
            subject.measure("closed 1000", connections=1000, mode="closed", seconds=SECONDS)
    report.print_workers(subjects)
    return subjects


def compare_growth(bench: Bench) -> list[Subject]:
    """Ten players alone, among very many, and with a very long history."""
    subjects = [subject for database in bench.databases() for subject in _grow(bench, database)]
    report.print_growth(subjects)
    return subjects


def _grow(bench: Bench, database: str) -> list[Subject]:
    sizes = {"alone": [10], "among": [10, OTHERS, MESSAGES], "long": [10, 0, 0, HISTORY]}
    subjects = []
    for name, players in sizes.items():
        subject = bench.product(database, name, players)
        subject.name = f"{database}: {report.GROWTH[name]}"
        subjects.append(subject)
    for _ in range(REPETITIONS):
        for subject in subjects:
            subject.measure("closed 10", connections=10, mode="closed", seconds=SECONDS)
    return subjects


PARTS = {
    "compare": compare,
    "idle": hold_idle,
    "workers": compare_workers,
    "growth": compare_growth,
}


def main(parts: Sequence[str]) -> None:
    started = time.monotonic()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    measured: list[Subject] = []
    notes: list[str] = []
    for part in parts:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
            bench = Bench(stack, folder)
            if bench.make_postgresql is None:
                bench.note("Skipped: PostgreSQL (not installed).")
            measured += PARTS[part](bench)
            notes += bench.notes
    seconds = time.monotonic() - started
    path = save(measured, notes, seconds)
    print(f"\n{seconds:.0f} s; saved as {path.relative_to(ROOT)}")


def save(subjects: list[Subject], notes: list[str], seconds: float) -> Path:
    at = datetime.now(UTC)
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{at:%Y%m%d-%H%M%S}.json"
    found = [
        {"name": s.name, "results": {what: [asdict(r) for r in rs] for what, rs in s.results.items()}}
        for s in subjects
    ]
    about = {"at": at.isoformat(), "python": sys.version, "cores": os.cpu_count(), "seconds": round(seconds)}
    path.write_text(json.dumps({**about, "notes": notes, "subjects": found}, indent=1))
    return path


if __name__ == "__main__":
    main(sys.argv[1:] or [part for part in PARTS if not (IS_SHORT and part in ("workers", "growth"))])
