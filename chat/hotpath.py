"""The one place that does differently what Channels does for every frame.

Channels' loop starts two tasks a frame (`await_many_dispatch`) and its `dispatch` hops to a thread to close old
database connections. Here frames are read in a plain loop, the channel layer is listened to by one task a
connection, and connections are closed where they are used (`therapy.database`). `tests/unit/test_hotpath.py`
fails when Channels changes what is overridden.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.layers import get_channel_layer

from chat.layer import health, layer_call

log = structlog.get_logger()


class LeanConsumer(AsyncJsonWebsocketConsumer):
    """A consumer whose frames cost one function call, and which `gone()` always hears the end of.

    Frames of the socket and events of the layer may interleave at an `await`; in Channels they do not.
    """

    channel_name = ""
    _listening: asyncio.Task[None] | None = None

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        self.scope = scope
        self.base_send = send
        self.channel_layer = get_channel_layer(self.channel_layer_alias)
        try:
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            pass
        finally:  # Channels skips disconnect() when a handler raises or the task is cancelled
            await self.gone()

    async def dispatch(self, message: dict[str, Any]) -> None:
        handler = getattr(self, get_handler_name(message), None)
        if handler is None:
            raise ValueError(f"No handler for message type {message['type']}")
        await handler(message)

    async def gone(self) -> None:
        """The socket has gone, however it went."""

    async def join(self, group: str) -> None:
        """Join a channel group, again if need be; while no layer answers, the log's polling serves."""
        if self.channel_layer is None or not health.is_up:
            return
        if not self.channel_name:
            name = await layer_call(self.channel_layer.new_channel())
            if name is None:
                return
            self.channel_name = name
            self._listening = asyncio.create_task(self._listen())
        await layer_call(self.channel_layer.group_add(group, self.channel_name))

    async def leave(self, group: str) -> None:
        if self.channel_layer is None or not self.channel_name:
            return
        await layer_call(self.channel_layer.group_discard(group, self.channel_name))
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None

    async def _listen(self) -> None:
        while True:
            try:
                await self.dispatch(await self.channel_layer.receive(self.channel_name))
            except Exception as error:
                log.error("layer_event_failed", exc_info=error)
                await asyncio.sleep(1)
