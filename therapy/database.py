"""The one hop from async code into the database: short sync work on our own bounded threads.

Django's default puts all database calls of a process on one thread, where one slow query delays everybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, reset_queries

P = ParamSpec("P")
T = TypeVar("T")

READERS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="database-reader")
#: Alone, so that on SQLite nobody waits for a lock and on PostgreSQL turns share their commits.
WRITER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database-writer")


def work_tidily(work: Callable[[], T]) -> T:
    """Do what Django does around a request: drop connections that broke or are too old, forget the last queries.

    Those it keeps in debug mode, thousands for each thread: for us it would be all the words of a day, though sealed.
    """
    reset_queries()
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()


async def in_database(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` on a reader thread. It must be short and must not span more than one transaction."""
    call = partial(work_tidily, partial(work, *args, **kwargs))
    return await asyncio.get_running_loop().run_in_executor(READERS, call)


async def in_writer(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` on the writer thread, behind what is being committed there."""
    call = partial(work_tidily, partial(work, *args, **kwargs))
    return await asyncio.get_running_loop().run_in_executor(WRITER, call)
