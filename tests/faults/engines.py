"""Reply engines that misbehave."""

from __future__ import annotations

import asyncio
import os

from therapy.replies.base import Draft, EngineError, ReplyRequest


class SlowEngine:
    """Takes SLOW_ENGINE_SECONDS for every draft."""

    name = "slow"

    def __init__(self) -> None:
        self.seconds = float(os.environ.get("SLOW_ENGINE_SECONDS", "1"))

    async def draft(self, request: ReplyRequest) -> Draft:
        await asyncio.sleep(self.seconds)
        return Draft("That took me a moment. I have read what you wrote, and I am here.", self.name)


class DeadEngine:
    """Never answers."""

    name = "dead"

    async def draft(self, request: ReplyRequest) -> Draft:
        raise EngineError("unreachable")
