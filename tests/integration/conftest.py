"""The servers of tests/faults, for what must hold with several processes, PostgreSQL and Redis."""

from __future__ import annotations

from tests.faults.fixtures import *  # noqa: F403
