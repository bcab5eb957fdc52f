"""The hop into the database leaves nothing behind on the threads it uses."""

from __future__ import annotations

import pytest
from django.db import connection

from therapy.database import in_database, in_writer
from therapy.journal import heads_of

pytestmark = pytest.mark.django_db(transaction=True)


def queries_kept() -> int:
    return len(connection.queries_log)


@pytest.mark.parametrize("hop", [in_database, in_writer])
async def test_queries_of_earlier_work_are_forgotten_in_debug_mode(hop, settings):
    settings.DEBUG = True
    for _ in range(20):
        await hop(heads_of, [1])
        assert await hop(queries_kept) <= 1
