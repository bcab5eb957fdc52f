"""Daphne for `runserver`, with the close codes and reasons that clients are promised.

Daphne 4.2 hands a close code to a method of Autobahn that refuses all but 1000 and 3000 to 4999
(autobahn-python#1642), drops the reason, and on SIGTERM ends every socket without a close frame (daphne#177).
"""

from __future__ import annotations

import asyncio
from typing import Any

from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet import defer

from chat.connections import connections
from chat.protocol import CloseCode


class ChatProtocol(WebSocketProtocol):
    """Sends the application's close as it is, with its reason."""

    def handle_reply(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.close" and self.state == self.STATE_OPEN:
            reason = str(message.get("reason") or "").encode()
            self.sendCloseFrame(code=message.get("code", CloseCode.NORMAL), reasonUtf8=reason)
        else:
            super().handle_reply(message)


class ChatServer(Server):
    @property
    def ws_factory(self) -> WebSocketFactory:
        return self._ws_factory

    @ws_factory.setter
    def ws_factory(self, factory: WebSocketFactory) -> None:
        factory.protocol = ChatProtocol
        factory.setProtocolOptions(failByDrop=False)  # else too big a frame is a cut connection, not a 1009
        self._ws_factory = factory

    def kill_all_applications(self) -> Any:
        """Drain, then end what is still running."""
        drained = defer.Deferred.fromFuture(asyncio.ensure_future(connections.drain()))
        return drained.addBoth(lambda _: self._end_applications())

    def _end_applications(self) -> None:
        for details in self.connections.values():
            application = details.get("application_instance")
            if application is not None and not application.done():
                application.cancel()
