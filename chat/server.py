"""How the application is served: uvicorn, tuned so that nothing of a player ends up in its log."""

from __future__ import annotations

import gc
import os
import signal
import socket
import tempfile
from types import FrameType
from typing import Any

import uvicorn
import uvicorn.supervisors.multiprocess
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.supervisors import Multiprocess

#: Ends a frame before it costs memory; the application's own bound is half of it (1009, RFC 6455 7.4.1).
SOCKET_BYTES_MAX = 128 * 1024
#: What a client may still read after it was told to go, before the connection is cut.
LINGER_SECONDS = 15.0
#: Objects that are new before the young are looked through, and how often that is before the older ones are.
COLLECT_AFTER = (50_000, 20, 20)


class ChatProtocol(WebSocketsSansIOProtocol):
    """A close is sent even to a reader that has stopped, and a reader that never reads it is cut off."""

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.close":
            self.writable.set()
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)
        await super().send(message)


class ChatServer(uvicorn.Server):
    """Drains before it shuts down, and then exits with status 0."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        spare_collector()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        from chat.connections import connections  # a worker imports this module before Django is set up

        await connections.drain()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal drains, a second interrupt ends at once. Not raised again, as uvicorn would."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True


def spare_collector() -> None:
    """What was loaded at the start is never garbage; and a thousand turns at once are not, either.

    With Python's defaults, looking through phrases, rules and models again and again took a quarter of a turn.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def run(*, host: str, port: int, workers: int) -> int:
    """Serve until told to stop; returns the exit status."""
    config = uvicorn.Config(
        "config.asgi:application",
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        ws=ChatProtocol,
        ws_max_size=SOCKET_BYTES_MAX,
        ws_per_message_deflate=False,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        access_log=False,
        log_config=None,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=20,
    )
    if workers > 1:
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="metrics-"))
        Multiprocess(config, sockets=[config.bind_socket()]).run()
        return 0
    server = ChatServer(config)
    server.run()
    return 0 if server.started else 1


# A worker process makes its server by this name, and imports this module before it does, for the protocol above.
uvicorn.supervisors.multiprocess.Server = ChatServer  # type: ignore[attr-defined]
