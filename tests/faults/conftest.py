"""Everything here breaks something: marked `faults`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.fixtures import (
    cluster,
    postgres,
    postgres_template,
    redis,
    seconds,
    serve,
    sqlite,
    sqlite_template,
)

__all__ = [
    "cluster",
    "postgres",
    "postgres_template",
    "redis",
    "seconds",
    "serve",
    "sqlite",
    "sqlite_template",
]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "faults: breaks real processes; minutes, not seconds, with FAULTS=long"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.faults)
