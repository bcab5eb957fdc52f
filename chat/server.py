"""How the application is served: uvicorn, tuned so that nothing of a player ends up in its log."""

from __future__ import annotations

import uvicorn

#: Ends a frame before it costs memory; the application's own bound is half of it (1009, RFC 6455 7.4.1).
SOCKET_BYTES_MAX = 128 * 1024


def run(*, host: str, port: int, workers: int) -> int:
    """Serve until told to stop; returns the exit status."""
    uvicorn.run(
        "config.asgi:application",
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        ws="websockets-sansio",
        ws_max_size=SOCKET_BYTES_MAX,
        ws_per_message_deflate=False,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        access_log=False,
        log_config=None,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=20,
    )
    return 0
