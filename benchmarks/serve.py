"""Serve an ASGI application as the product is served (chat.server), apart from its own protocol class."""

from __future__ import annotations

import sys

import uvicorn

if __name__ == "__main__":
    uvicorn.run(
        sys.argv[1],
        host="127.0.0.1",
        port=int(sys.argv[2]),
        loop="uvloop",
        ws="websockets-sansio",
        ws_max_size=128 * 1024,
        ws_per_message_deflate=False,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        access_log=False,
        log_config=None,
        lifespan="off",
        server_header=False,
    )
