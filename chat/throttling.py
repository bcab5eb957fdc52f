"""How many frames a connection may send: `CHAT_RATE_LIMIT`, a moving window."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import lru_cache

from django.conf import settings
from limits import RateLimitItem, parse


@lru_cache(maxsize=8)
def _limit(notation: str) -> RateLimitItem:
    return parse(notation)


class Throttle:
    """The window of one connection: when its last frames came, as many as are let through.

    Only the notation is the `limits` package's. Its storage is made for counters that outlive a connection and
    cost more than the frames that are counted.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        limit = _limit(settings.CHAT_RATE_LIMIT)
        self._seconds = limit.get_expiry()
        self._amount = limit.amount
        self._came_at: list[float] = []  # a handful; an idle connection's empty deque weighs 760 bytes
        self._clock = clock

    def retry_after_ms(self) -> int | None:
        """Count a frame; None lets it through, else milliseconds until one would be."""
        now, came_at = self._clock(), self._came_at
        while came_at and came_at[0] <= now - self._seconds:
            del came_at[0]
        if len(came_at) >= self._amount:
            return max(1, math.ceil((came_at[0] + self._seconds - now) * 1000))
        came_at.append(now)
        return None
