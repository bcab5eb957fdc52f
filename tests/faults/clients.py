"""Devices as real clients are: they keep a cursor, come back, and send again what was not acknowledged."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from tests.faults.history import Record, Seen, violations
from tests.faults.servers import Player, Store

RESEND_SECONDS = 3.0
PATIENCE_SECONDS = 30.0
UNACKNOWLEDGED_MAX = 40
_numbers = itertools.count(1)

Frame = dict[str, Any]


async def until(
    is_so: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS, every: float = 0.01
) -> float:
    """Wait until something holds; how long it took."""
    started = time.monotonic()
    while not is_so():
        if time.monotonic() - started > seconds:
            raise AssertionError(f"{what}: not within {seconds} s")
        await asyncio.sleep(every)
    return time.monotonic() - started


def open_socket(url: str, token: str, **options: Any) -> connect:
    """A connection that notices for itself what is wrong with it: no compression, no pings of the library."""
    return connect(
        url,
        subprotocols=["chat.v1", f"bearer.{token}"],  # type: ignore[list-item]
        compression=None,
        open_timeout=options.pop("open_timeout", 10),
        ping_interval=options.pop("ping_interval", None),
        close_timeout=1,
        max_size=None,
        **options,
    )


async def how_it_ends(connection: ClientConnection) -> tuple[int, str]:
    """Read on until it is closed; the code and reason that the server gave."""
    try:
        while True:
            await connection.recv()
    except ConnectionClosed as closed:
        return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")


class Device:
    """One device. `urls` are tried in turn, as behind a balancer; `record` is for the history checker."""

    def __init__(self, player: Player, *urls: str, **options: Any) -> None:
        self.player, self.urls, self.options = player, urls, options
        self.record = Record(player.id, f"{player.name}/{next(_numbers)}")
        self.cursor = 0
        self.unacknowledged: dict[str, tuple[str, float]] = {}
        self.asked_at: dict[str, float] = {}
        self.answered_in: list[float] = []
        self.frames: list[Frame] = []
        self.token = player.token
        self.closes: list[tuple[int, str]] = []
        self.is_welcome = False
        self.connects = 0
        self._socket: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False

    # --- what a person does ---

    async def say(self, text: str | None = None) -> str:
        number = next(_numbers)
        words = text or f"We talked about the garden again, {self.player.name}, day {number}"
        return await self.send("user_message", {"text": words})

    async def press(self, element_id: str) -> str:
        return await self.send("interaction", {"action": "button_click", "id": element_id})

    async def send(self, type: str, content: Frame) -> str:
        client_id = f"c{next(_numbers)}"
        await self.send_raw(client_id, json.dumps({"type": type, "id": client_id, "content": content}))
        return client_id

    async def authenticate(self, token: str) -> Frame:
        client_id = f"renewal{next(_numbers)}"
        await self._write(json.dumps({"type": "authenticate", "id": client_id, "content": {"token": token}}))
        return await self.frame(lambda frame: frame["metadata"].get("in_reply_to") == client_id, "an answer")

    async def ping(self) -> float:
        """Seconds until the pong."""
        client_id, asked_at = f"ping{next(_numbers)}", time.monotonic()
        await self._write(json.dumps({"type": "ping", "id": client_id}))
        await self.frame(lambda frame: frame["metadata"].get("in_reply_to") == client_id, "a pong")
        return time.monotonic() - asked_at

    # --- its connection ---

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._is_stopping = True
        if self._socket is not None:
            await self._socket.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    @property
    def port(self) -> int:
        """Of its own end of the connection."""
        assert self._socket is not None
        return int(self._socket.local_address[1])

    def stop_coming_back(self) -> None:
        self._is_stopping = True

    def cut(self) -> None:
        """Lose the connection without a word; the device comes back by itself."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _run(self) -> None:
        for attempt in itertools.count():
            if attempt and self._is_stopping:
                return
            url = self.urls[attempt % len(self.urls)]
            try:
                async with open_socket(f"{url}?since={self.cursor}", self.token, **self.options) as socket:
                    await self._live(socket)
            except (OSError, InvalidHandshake, InvalidMessage, ConnectionClosed, TimeoutError):
                pass
            self.is_welcome = False
            self._socket = None
            await asyncio.sleep(random.uniform(0.05, 0.3))

    async def _live(self, socket: ClientConnection) -> None:
        self._socket = socket
        resending = asyncio.create_task(self._resend())
        try:
            async for text in socket:
                await self._take(json.loads(text))
        finally:
            resending.cancel()
            await socket.close()
            self.closes.append((socket.close_code or 0, socket.close_reason or ""))

    async def _resend(self) -> None:
        """What is still unacknowledged after the welcome, and then now and again."""
        await until(lambda: self.is_welcome, "a welcome", 60)
        while True:
            for client_id, (text, sent_at) in list(self.unacknowledged.items()):
                if sent_at < self.welcome_at or time.monotonic() - sent_at > RESEND_SECONDS:
                    await self.send_raw(client_id, text)
            await asyncio.sleep(0.2)

    async def send_raw(self, client_id: str, text: str) -> None:
        self.asked_at.setdefault(client_id, time.monotonic())
        self.unacknowledged[client_id] = (text, time.monotonic() if self.is_welcome else 0)
        await self._write(text)

    async def _write(self, text: str) -> None:
        if self._socket is not None and self.is_welcome:
            try:
                await self._socket.send(text)
            except (OSError, ConnectionClosed):
                return

    # --- what comes in ---

    async def _take(self, frame: Frame) -> None:
        self.frames.append(frame)
        content, metadata = frame["content"], frame["metadata"]
        match content.get("event"):
            case "welcome":
                assert metadata.get("resumed") is not False, "the log can't be resumed"
                self.connects += 1
                self.is_welcome, self.welcome_at = True, time.monotonic()
            case "ack":
                self._acknowledge(metadata["client_id"], content["seq"])
                if not content["duplicate"]:
                    self._advance(Seen(content["seq"], None, metadata["client_id"]))
            case "error":
                self._note_refusal(content, metadata.get("in_reply_to"))
            case _ if metadata.get("seq") and not metadata.get("duplicate"):
                client_id = metadata.get("client_id")
                self._advance(Seen(metadata["seq"], frame["id"].removeprefix("msg_"), client_id))
                if client_id in self.unacknowledged:
                    self._acknowledge(client_id, metadata["seq"])

    def _acknowledge(self, client_id: str, seq: int) -> None:
        self.record.acknowledged[client_id] = seq
        if self.unacknowledged.pop(client_id, None) is not None:
            self.answered_in.append(time.monotonic() - self.asked_at[client_id])

    def _advance(self, seen: Seen) -> None:
        self.record.seen.append(seen)
        self.cursor = max(self.cursor, seen.seq)

    def _note_refusal(self, content: Frame, client_id: str | None) -> None:
        if client_id in self.unacknowledged and content.get("retry_after_ms"):
            text, _ = self.unacknowledged[client_id]
            again_at = time.monotonic() + content["retry_after_ms"] / 1000
            self.unacknowledged[client_id] = (text, again_at - RESEND_SECONDS)
        elif client_id in self.unacknowledged:
            del self.unacknowledged[client_id]

    # --- what a test waits for ---

    async def frame(
        self, is_it: Callable[[Frame], object], what: str, seconds: float = PATIENCE_SECONDS, after: int = 0
    ) -> Frame:
        """The first frame since the `after`th that is it."""
        found: list[Frame] = []

        def look() -> bool:
            found.extend(frame for frame in self.frames[after:] if is_it(frame))
            return bool(found)

        await until(look, what, seconds)
        return found[0]

    async def event(self, name: str, seconds: float = PATIENCE_SECONDS) -> Frame:
        return await self.frame(lambda frame: frame["content"].get("event") == name, f"event {name}", seconds)

    async def acknowledged(self, client_id: str, seconds: float = PATIENCE_SECONDS) -> float:
        return await until(
            lambda: client_id in self.record.acknowledged, f"{client_id} acknowledged", seconds
        )

    def errors(self, code: str | None = None) -> list[Frame]:
        contents = [frame["content"] for frame in self.frames if frame["content"].get("event") == "error"]
        return [content for content in contents if code in (None, content["code"])]


@asynccontextmanager
async def devices(
    players: Iterable[Player], *urls: str, each: int = 1, **options: Any
) -> AsyncIterator[list[Device]]:
    """`each` devices of every player, connected and welcomed."""
    made = [Device(player, *urls, **options) for player in players for _ in range(each)]
    for device in made:
        device.start()
    try:
        await until(lambda: all(device.is_welcome for device in made), "everybody is welcomed", 60)
        yield made
    finally:
        await asyncio.gather(*(device.stop() for device in made))


@asynccontextmanager
async def talking(talkers: Sequence[Device], every: float = 0.05) -> AsyncIterator[None]:
    """Everybody keeps saying something, connected or not, until they see that nothing of it gets through."""

    async def talk(device: Device) -> None:
        while True:
            if len(device.unacknowledged) < UNACKNOWLEDGED_MAX:
                await device.say()
            await asyncio.sleep(random.uniform(0.5, 1.5) * every)

    tasks = [asyncio.create_task(talk(device)) for device in talkers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def settle(
    made: Sequence[Device], head: Callable[[Player], int], seconds: float = PATIENCE_SECONDS
) -> None:
    """Until all is acknowledged, and every device has the whole log."""
    await until(lambda: not any(d.unacknowledged for d in made), "all is acknowledged", seconds)
    for player in {device.player for device in made}:
        own = [device for device in made if device.player == player]

        def is_level(own: list[Device] = own, player: Player = player) -> bool:
            return len({device.cursor for device in own}) == 1 and own[0].cursor == head(player)

        await until(is_level, f"all devices of {player.name} have the log", seconds)


async def assert_whole(store: Store, made: Sequence[Device], seconds: float = PATIENCE_SECONDS) -> None:
    """All is settled, and nothing was lost, doubled, swapped or shown to another."""
    await settle(made, store.head, seconds)
    found = violations(store.log(), [device.record for device in made], store.markers())
    assert not found, found[:10]
