"""How many frames a connection may send: `CHAT_RATE_LIMIT`, a moving window."""

from __future__ import annotations

import time
from functools import lru_cache

from django.conf import settings
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

_storage = MemoryStorage()
_limiter = MovingWindowRateLimiter(_storage)


@lru_cache(maxsize=8)
def _limit(notation: str) -> RateLimitItem:
    return parse(notation)


class Throttle:
    """The window of one connection."""

    def __init__(self, connection_id: str) -> None:
        self.limit = _limit(settings.CHAT_RATE_LIMIT)
        self.connection_id = connection_id

    def retry_after_ms(self) -> int | None:
        """Count a frame; None lets it through, else milliseconds until one would be."""
        if _limiter.hit(self.limit, self.connection_id):
            return None
        resets_at = _limiter.get_window_stats(self.limit, self.connection_id).reset_time
        return max(1, int((resets_at - time.time()) * 1000) + 1)  # a frame just at the end is still inside

    def forget(self) -> None:
        _limiter.clear(self.limit, self.connection_id)
