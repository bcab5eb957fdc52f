"""Runs tests on a PostgreSQL of their own, made for the run and forgetful of power cuts: `python -m tests.on_postgres`.

Arguments are pytest's; without any it takes what the log, turns and sockets rest on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.faults.servers import ROOT, Postgres

FORGETFUL = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
TESTS = [
    f"tests/integration/test_{name}.py"
    for name in (
        "journal",
        "turns",
        "turn_failures",
        "delivery",
        "connections",
        "database",
        "sessions",
        "slow_engines",
        "crisis_events",
        "privacy_fields",
        "access",
    )
]


def main(arguments: list[str]) -> int:
    try:
        cluster = Postgres()
    except pytest.skip.Exception as skipped:
        print(f"SKIPPED on PostgreSQL: {skipped}")
        return 0
    except pytest.fail.Exception as failed:
        print(f"FAILED on PostgreSQL: {failed}")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the cluster ends with the run, however that ends
    try:
        cluster.start(FORGETFUL)
        environment = {**os.environ, "DATABASE_URL": cluster.url("postgres", role="postgres")}
        command = [sys.executable, "-m", "pytest", "-m", "not faults", *(arguments or TESTS)]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    finally:
        cluster.remove()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
