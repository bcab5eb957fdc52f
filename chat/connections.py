"""Who is connected to this process: a player's sockets, and their channel group across processes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from channels.layers import InMemoryChannelLayer, get_channel_layer

from chat import metrics
from therapy.messages import OutgoingMessage

if TYPE_CHECKING:
    from chat.consumers import ChatConsumer


def group_name(player_id: Any) -> str:
    """The player's channel group. A digest: any primary key fits, and the layer never learns it."""
    return "player." + hashlib.blake2b(str(player_id).encode(), digest_size=16).hexdigest()


class ConnectionManager:
    """player_id -> its open sockets in this process. Each socket is in its player's channel group as well."""

    def __init__(self) -> None:
        self._sockets: dict[Any, list[ChatConsumer]] = {}

    def __iter__(self) -> Iterator[ChatConsumer]:
        return iter([socket for sockets in self._sockets.values() for socket in sockets])

    def __len__(self) -> int:
        return sum(map(len, self._sockets.values()))

    def clear(self) -> None:
        """Forget every socket; for tests."""
        self._sockets.clear()

    def of(self, player_id: Any) -> tuple[ChatConsumer, ...]:
        """The player's sockets, oldest first."""
        return tuple(self._sockets.get(player_id, ()))

    async def connect(self, player_id: Any, socket: ChatConsumer) -> None:
        self._sockets.setdefault(player_id, []).append(socket)
        metrics.CONNECTIONS.inc()
        metrics.CONNECTIONS_OPEN.inc()
        if (layer := get_channel_layer()) is not None:
            await layer.group_add(group_name(player_id), socket.channel_name)

    async def disconnect(self, player_id: Any, socket: ChatConsumer) -> None:
        """Safe to call more than once."""
        sockets = self._sockets.get(player_id, [])
        if socket not in sockets:
            return
        sockets.remove(socket)
        if not sockets:
            del self._sockets[player_id]
        metrics.CONNECTIONS_OPEN.dec()
        if (layer := get_channel_layer()) is not None:
            await layer.group_discard(group_name(player_id), socket.channel_name)

    async def send_json(self, to: ChatConsumer | Any, message: OutgoingMessage) -> None:
        """Send to one socket, or to all sockets a player has here."""
        from chat.consumers import ChatConsumer

        for socket in (to,) if isinstance(to, ChatConsumer) else self.of(to):
            await socket.send_message(message)

    async def broadcast_to_player(self, player_id: Any, seq: int, *, but: ChatConsumer | None = None) -> None:
        """Tell all of a player's sockets, in every process, that their log has grown to `seq`.

        Carries no text: each socket then sends what the log holds after its own cursor.
        """
        for socket in self.of(player_id):
            if socket is not but:
                socket.delivery.wake()
        layer = get_channel_layer()
        if layer is not None and not isinstance(layer, InMemoryChannelLayer):
            await layer.group_send(group_name(player_id), {"type": "log.appended", "seq": seq})


connections = ConnectionManager()
