"""The channel layer as a hint: what it carries may be lost, late or refused, and no turn ever waits for it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable
from typing import Any, TypeVar

import structlog
from channels.layers import InMemoryChannelLayer, get_channel_layer

log = structlog.get_logger()

CALL_SECONDS = 0.5
CLEANING_SECONDS = 1.0
PENDING_MAX = 10_000
HEALTH_GROUP = "chat.health"

T = TypeVar("T")


class InProcessLayer(InMemoryChannelLayer):  # type: ignore[misc]
    """Channels' own layer for one process, which looks for what has expired once a second.

    Channels does so for every receive and send, through all channels: with a thousand sockets that is 0.9 ms each.
    """

    _cleaned_at = 0.0

    def _clean_expired(self) -> None:
        if (now := time.monotonic()) - self._cleaned_at >= CLEANING_SECONDS:
            self._cleaned_at = now
            super()._clean_expired()


class LayerHealth:
    """Whether the layer answered last time; while it does not, sockets poll the log."""

    is_up = True
    has_recovered = False  # and nobody has joined groups again since

    def note(self, is_up: bool, error: Exception | None = None) -> None:
        if is_up != self.is_up:
            log.warning("layer_up" if is_up else "layer_down", exc_info=error)
            self.has_recovered = is_up
        self.is_up = is_up


health = LayerHealth()


async def layer_call(call: Awaitable[T]) -> T | None:
    """Await a call of the layer for half a second at most; None if it failed."""
    try:
        async with asyncio.timeout(CALL_SECONDS):
            result = await call
    except Exception as error:  # noqa: BLE001  (a layer raises what its driver raises)
        health.note(is_up=False, error=error)
        return None
    health.note(is_up=True)
    return result


def shared_layer() -> Any:
    """The layer, if other processes share it; None where this process is alone."""
    layer = get_channel_layer()
    return None if isinstance(layer, InMemoryChannelLayer) else layer


class Nudges:
    """Events for the sockets of a group in other processes. Ids and sequence numbers only, never text.

    At most one `log.appended` a group waits at a time: a later one says all that an earlier one said.
    """

    def __init__(self) -> None:
        self._appended: dict[str, int] = {}
        self._others: deque[tuple[str, dict[str, Any]]] = deque(maxlen=PENDING_MAX)
        self._sending: asyncio.Task[None] | None = None

    def appended(self, group: str, seq: int) -> None:
        self._appended[group] = max(seq, self._appended.get(group, 0))
        self._send_soon()

    def tell(self, group: str, event: dict[str, Any]) -> None:
        self._others.append((group, event))
        self._send_soon()

    def resume(self) -> None:
        """The layer is back: send what waits, for processes that never noticed that it was gone."""
        self._send_soon()

    def _send_soon(self) -> None:
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while self._appended or self._others:
            if self._others:
                group, event = self._others.popleft()
                await self._pass_on(group, event)
                if not health.is_up:
                    self._others.appendleft((group, event))
                    return
            else:
                group, seq = self._appended.popitem()
                await self._pass_on(group, {"type": "log.appended", "seq": seq})
                if not health.is_up:
                    self._appended[group] = max(seq, self._appended.get(group, 0))
                    return

    async def _pass_on(self, group: str, event: dict[str, Any]) -> None:
        layer = shared_layer()
        if layer is not None:
            await layer_call(layer.group_send(group, event))


async def check_health() -> None:
    """Ask the layer something, so that a process that sends nothing still knows."""
    layer = shared_layer()
    if layer is not None:
        await layer_call(layer.group_send(HEALTH_GROUP, {"type": "health"}))
