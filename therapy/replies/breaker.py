"""A circuit breaker: an engine that fails again and again is left alone for a while.

Numbers: five failures in a row open it for 30 seconds. Then one turn may probe; if that fails too, the pause
doubles, up to five minutes; if it succeeds, the breaker closes. A permanent error opens it for five minutes at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable

FAILURES = 5
PAUSE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 300.0


class Breaker:
    """Not thread-safe: it belongs to one event loop."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._pause = 0.0
        self._open_until = 0.0

    def may_pass(self) -> bool:
        """Whether the engine may be asked. While open nobody passes; afterwards one, until its outcome is known."""
        if not self._pause:
            return True
        now = self._clock()
        if now < self._open_until:
            return False
        self._open_until = now + self._pause
        return True

    def succeeded(self) -> None:
        self._failures, self._pause = 0, 0.0

    def failed(self, *, permanent: bool = False) -> None:
        self._failures += 1
        if permanent:
            self._pause = LONGEST_PAUSE_SECONDS
        elif self._pause:
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        elif self._failures >= FAILURES:
            self._pause = PAUSE_SECONDS
        if self._pause:
            self._open_until = self._clock() + self._pause
