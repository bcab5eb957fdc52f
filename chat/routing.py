"""WebSocket paths, and the door in front of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from django.urls import path, re_path

from chat import protocol
from chat.connections import connections
from chat.consumers import ChatConsumer, UnknownPathConsumer
from chat.protocol import CloseCode, FrameError

websocket_urlpatterns = [
    path("ws/chat", ChatConsumer.as_asgi()),
    path("ws/chat/", ChatConsumer.as_asgi()),
    re_path("", UnknownPathConsumer.as_asgi()),
]


class Admission:
    """Turns sockets away before they cost anything, while the process is full or about to end."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        if connections.is_draining:
            text = "The server restarts. Connect again in a moment."
            await self._turn_away(
                scope, send, FrameError("restarting", text, retry_after_ms=2000), CloseCode.RESTART
            )
        elif connections.is_full:
            text = "Too many people are connected right now. Try again in a moment."
            await self._turn_away(
                scope, send, FrameError("overloaded", text, retry_after_ms=5000), CloseCode.TRY_LATER
            )
        else:
            await self.application(scope, receive, send)

    async def _turn_away(
        self,
        scope: dict[str, Any],
        send: Callable[[Any], Awaitable[None]],
        problem: FrameError,
        code: CloseCode,
    ) -> None:
        subprotocol = protocol.PROTOCOL if protocol.PROTOCOL in scope.get("subprotocols", ()) else None
        await send({"type": "websocket.accept", "subprotocol": subprotocol})
        await send({"type": "websocket.send", "text": protocol.serialize(protocol.error(problem))})
        await send({"type": "websocket.close", "code": int(code), "reason": problem.code})
