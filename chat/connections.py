"""Who is connected to this process: a player's sockets, and their channel group across processes."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import random
from collections.abc import Iterator
from typing import Any, Protocol

import structlog
from django.conf import settings

from chat import metrics
from chat.auth import Identity
from chat.delivery import Delivery
from chat.hotpath import LeanConsumer
from chat.layer import Nudges, shared_layer
from chat.protocol import CloseCode
from therapy.messages import OutgoingMessage

log = structlog.get_logger()

SOCKETS_PER_PLAYER = 8
DEPARTURES_PER_COLLECTION = 500
DRAIN_SECONDS = 20.0
GOODBYES_SECONDS = 3.0


def group_name(player_id: Any) -> str:
    """The player's channel group. A digest: any primary key fits, and the layer never learns it."""
    return "player." + hashlib.blake2b(str(player_id).encode(), digest_size=16).hexdigest()


class Socket(Protocol):
    """What is asked of a connection here."""

    connection_id: str
    delivery: Delivery
    identity: Identity
    standing: Any
    connected_at: float
    is_open: bool
    is_busy: bool

    async def join(self, group: str) -> None: ...
    async def leave(self, group: str) -> None: ...
    async def send_message(self, message: OutgoingMessage) -> None: ...
    async def close_for(self, code: CloseCode, reason: str) -> None: ...
    async def check_identity(self) -> None: ...
    def hear_of(self, event: dict[str, str]) -> None: ...
    def heard_of_head(self, head: int) -> None: ...
    def tick(self) -> None: ...


class ConnectionManager:
    """player_id -> its open sockets in this process. Each socket is in its player's channel group as well."""

    def __init__(self) -> None:
        self._sockets: dict[Any, list[Socket]] = {}
        self._count = self._departed = 0
        self._nudges = Nudges()
        self.is_draining = False

    def __iter__(self) -> Iterator[Socket]:
        return iter([socket for sockets in self._sockets.values() for socket in sockets])

    def __len__(self) -> int:
        return self._count

    @property
    def is_full(self) -> bool:
        return bool(self._count >= settings.CHAT_MAX_CONNECTIONS)

    def of(self, player_id: Any) -> tuple[Socket, ...]:
        """The player's sockets, oldest first."""
        return tuple(self._sockets.get(player_id, ()))

    def player_ids(self) -> list[Any]:
        return list(self._sockets)

    async def connect(self, player_id: Any, socket: Socket) -> None:
        """Add a socket to its player's, here and in the channel group; where they become too many, the oldest goes."""
        self.announce(player_id, socket)
        self._sockets.setdefault(player_id, []).append(socket)
        self._count += 1
        metrics.CONNECTIONS.inc()
        metrics.CONNECTIONS_OPEN.inc()
        await socket.join(group_name(player_id))

    async def disconnect(self, player_id: Any, socket: Socket) -> None:
        """Safe to call more than once."""
        sockets = self._sockets.get(player_id, [])
        if socket not in sockets:
            return
        sockets.remove(socket)
        if not sockets:
            del self._sockets[player_id]
        self._count -= 1
        self._departed += 1
        metrics.CONNECTIONS_OPEN.dec()
        self._tell(player_id, {"type": "socket.closed", "id": socket.connection_id})
        await socket.leave(group_name(player_id))

    def announce(self, player_id: Any, socket: Socket) -> None:
        """However often: each socket counts another once."""
        self._tell(player_id, {"type": "socket.opened", "id": socket.connection_id})

    def _tell(self, player_id: Any, event: dict[str, str]) -> None:
        """Tell all of a player's sockets of one that came or went; each counts the ones younger than itself."""
        for other in self.of(player_id):
            other.hear_of(event)
        if shared_layer() is not None:
            self._nudges.tell(group_name(player_id), event)

    async def send_json(self, to: Socket | Any, message: OutgoingMessage) -> None:
        """Send to one socket, or to all sockets a player has here."""
        for socket in (to,) if isinstance(to, LeanConsumer) else self.of(to):
            await socket.send_message(message)

    def broadcast_to_player(self, player_id: Any, seq: int, *, but: Socket | None = None) -> None:
        """Tell all of a player's sockets, in every process, that their log has grown to `seq`.

        Carries no text: each socket then sends what the log holds after its own cursor.
        """
        for socket in self._sockets.get(player_id, ()):
            if socket is not but:
                socket.delivery.wake()
        if shared_layer() is not None:
            self._nudges.appended(group_name(player_id), seq)

    def clear_away_departed(self) -> None:
        """Free what many sockets left: 30 KB each in reference cycles, which the spared collector finds much later."""
        if self._departed >= DEPARTURES_PER_COLLECTION:
            self._departed = 0
            gc.collect()

    def nudge_again(self) -> None:
        """The layer is back: pass on what it was not there for."""
        self._nudges.resume()

    async def drain(self) -> None:
        """Before the process ends: no new sockets or turns, finish the running ones, then say goodbye.

        Turns get 20 s; closes (1012) are spread over 3 s, so that clients do not come back all at once.
        """
        self.is_draining = True
        log.info("draining", count=len(self))
        for _ in range(round(DRAIN_SECONDS / 0.05)):
            if not any(socket.is_busy for socket in self):
                break
            await asyncio.sleep(0.05)
        sockets = list(self)
        random.shuffle(sockets)
        for socket in sockets:
            await socket.close_for(CloseCode.RESTART, "restart")
            await asyncio.sleep(GOODBYES_SECONDS / len(sockets))

    def clear(self) -> None:
        """Forget everything; for tests."""
        self.__init__()  # type: ignore[misc]


connections = ConnectionManager()
