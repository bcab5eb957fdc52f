"""The channel layer as a hint: what it carries may be lost, late or refused, and no turn ever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import structlog
from channels.layers import InMemoryChannelLayer, get_channel_layer

log = structlog.get_logger()

CALL_SECONDS = 1.0
HEALTH_GROUP = "chat.health"

T = TypeVar("T")


class LayerHealth:
    """Whether the layer answered last time; while it does not, sockets poll the log."""

    is_up = True

    def note(self, is_up: bool, error: Exception | None = None) -> None:
        if is_up != self.is_up:
            log.warning("layer_up" if is_up else "layer_down", exc_info=error)
        self.is_up = is_up


health = LayerHealth()


async def layer_call(call: Awaitable[T]) -> T | None:
    """Await a call of the layer for a second at most; None if it failed."""
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
        self._others: list[tuple[str, dict[str, Any]]] = []
        self._sending: asyncio.Task[None] | None = None

    def appended(self, group: str, seq: int) -> None:
        self._appended[group] = max(seq, self._appended.get(group, 0))
        self._send_soon()

    def tell(self, group: str, event: dict[str, Any]) -> None:
        self._others.append((group, event))
        self._send_soon()

    def _send_soon(self) -> None:
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while self._appended or self._others:
            if self._others:
                group, event = self._others.pop(0)
            else:
                group, seq = self._appended.popitem()
                event = {"type": "log.appended", "seq": seq}
            layer = shared_layer()
            if layer is not None:
                await layer_call(layer.group_send(group, event))
            if not health.is_up:  # the log's polling takes over
                self._appended.clear()
                self._others.clear()


async def check_health() -> None:
    """Ask the layer something, so that a process that sends nothing still knows."""
    layer = shared_layer()
    if layer is not None:
        await layer_call(layer.group_send(HEALTH_GROUP, {"type": "health"}))
