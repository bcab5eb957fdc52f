"""What chat.hotpath does in place of Channels, and that Channels still does what it was written against."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
from typing import Any

import pytest
from channels import consumer
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import InMemoryChannelLayer

from chat import hotpath
from chat.hotpath import LeanConsumer

#: Channels 4.3.2. On a new digest: read what changed, take over what matters, then write the digest down here.
WRITTEN_AGAINST = [
    (consumer.get_handler_name, "c88c7b7d8763"),
    (consumer.AsyncConsumer.__call__, "e52238720872"),
    (consumer.AsyncConsumer.dispatch, "39f34e7d4fb0"),
    (consumer.AsyncConsumer.send, "bc80485d75ed"),
    (AsyncWebsocketConsumer.websocket_connect, "8128b5f6cfc5"),
    (AsyncWebsocketConsumer.websocket_receive, "165d159d99ad"),
    (AsyncWebsocketConsumer.websocket_disconnect, "10f38aa55fd5"),
    (AsyncWebsocketConsumer.accept, "7197addbce7e"),
    (AsyncWebsocketConsumer.close, "c2f5b8bca183"),
]


@pytest.mark.parametrize(
    ("original", "digest"), WRITTEN_AGAINST, ids=lambda part: getattr(part, "__name__", "")
)
def test_channels_is_what_the_hot_path_was_written_against(original, digest):
    assert hashlib.sha256(inspect.getsource(original).encode()).hexdigest()[:12] == digest


@pytest.mark.parametrize("name", ["__call__", "dispatch"])
def test_overrides_take_what_channels_passes(name):
    ours, theirs = (
        inspect.signature(getattr(owner, name)) for owner in (LeanConsumer, consumer.AsyncConsumer)
    )
    assert list(ours.parameters) == list(theirs.parameters)


class Recorder(LeanConsumer):
    """Notes what it is told; `trouble` is raised, or waited in, by the handler of a frame."""

    def __init__(self, trouble: Exception | None = None) -> None:
        super().__init__()
        self.told: list[str] = []
        self.trouble = trouble

    async def connect(self) -> None:
        self.told.append("connect")
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        self.told.append(f"receive {text_data}")
        if self.trouble is not None:
            raise self.trouble
        if text_data == "wait":
            await asyncio.Event().wait()

    async def log_appended(self, event: dict[str, Any]) -> None:
        self.told.append(f"appended {event['seq']}")

    async def disconnect(self, code: int) -> None:
        self.told.append(f"disconnect {code}")

    async def gone(self) -> None:
        self.told.append("gone")


CONNECT = {"type": "websocket.connect"}
DISCONNECT = {"type": "websocket.disconnect", "code": 1001}


def text(frame: str) -> dict[str, str]:
    return {"type": "websocket.receive", "text": frame}


@pytest.fixture
def serve(monkeypatch):
    """Run a consumer over these events and whatever is put behind them; gives its task, its inbox and what it sent."""
    layer = InMemoryChannelLayer()
    monkeypatch.setattr(hotpath, "get_channel_layer", lambda alias: layer)

    def serve(socket: LeanConsumer, *events: dict[str, Any]):
        inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        sent: list[dict[str, Any]] = []
        for event in events:
            inbox.put_nowait(event)

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        return asyncio.create_task(socket({"type": "websocket"}, inbox.get, send)), sent

    serve.layer = layer
    return serve


async def test_gone_is_called_when_a_handler_raises(serve):
    socket = Recorder(KeyError("planted"))
    task, _ = serve(socket, CONNECT, text("one"), DISCONNECT)
    with pytest.raises(KeyError):
        await task
    assert socket.told == ["connect", "receive one", "gone"]


async def test_gone_is_called_when_a_handler_stops_the_consumer(serve):
    socket = Recorder(StopConsumer())
    task, _ = serve(socket, CONNECT, text("one"))
    await task
    assert socket.told[-1] == "gone"


@pytest.mark.parametrize("frames", [[], ["wait"]], ids=["between frames", "inside a handler"])
async def test_gone_is_called_when_the_task_is_cancelled(serve, frames):
    socket = Recorder()
    task, _ = serve(socket, CONNECT, *map(text, frames))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert socket.told[-1] == "gone"


async def test_gone_is_called_when_the_server_cannot_be_read(serve):
    socket = Recorder()

    async def receive() -> dict[str, Any]:
        raise OSError

    async def send(message: dict[str, Any]) -> None:
        raise AssertionError

    with pytest.raises(OSError):  # noqa: PT011
        await socket({"type": "websocket"}, receive, send)
    assert socket.told == ["gone"]


@pytest.mark.parametrize("type", ["websocket.unheard_of", "_private", None])
async def test_unknown_event_ends_the_socket(serve, type):
    socket = Recorder()
    task, _ = serve(socket, CONNECT, {"type": type} if type else {})
    with pytest.raises(ValueError):  # noqa: PT011
        await task
    assert socket.told == ["connect", "gone"]


async def test_events_of_the_joined_group_reach_their_handler(serve):
    socket = Recorder()
    task, _ = serve(socket, CONNECT)
    await asyncio.sleep(0.01)
    await socket.join("player.ana")
    await serve.layer.group_send("player.ana", {"type": "log.appended", "seq": 7})
    await asyncio.sleep(0.01)
    task.cancel()
    assert "appended 7" in socket.told


async def test_joining_again_keeps_the_channel(serve):
    socket = Recorder()
    task, _ = serve(socket, CONNECT)
    await asyncio.sleep(0.01)
    await socket.join("player.ana")
    before = socket.channel_name
    await socket.join("player.ana")
    task.cancel()
    assert socket.channel_name == before
    assert list(serve.layer.groups["player.ana"]) == [before]


async def test_nothing_is_heard_after_leaving(serve):
    socket = Recorder()
    task, _ = serve(socket, CONNECT)
    await asyncio.sleep(0.01)
    await socket.join("player.ana")
    await socket.leave("player.ana")
    await serve.layer.group_send("player.ana", {"type": "log.appended", "seq": 7})
    await asyncio.sleep(0.01)
    task.cancel()
    assert socket.told == ["connect"]
    assert "player.ana" not in serve.layer.groups


async def test_event_whose_handler_fails_does_not_end_the_listening(serve, monkeypatch):
    monkeypatch.setattr(hotpath.asyncio, "sleep", lambda seconds, sleep=asyncio.sleep: sleep(0))
    socket = Recorder()
    task, _ = serve(socket, CONNECT)
    await asyncio.wait({task}, timeout=0.01)
    await socket.join("player.ana")
    for event in ({"type": "log.appended"}, {"type": "log.appended", "seq": 8}):
        await serve.layer.group_send("player.ana", event)
    await asyncio.wait({task}, timeout=0.05)
    task.cancel()
    assert socket.told == ["connect", "appended 8"]


async def test_without_a_layer_joining_is_nothing(monkeypatch):
    monkeypatch.setattr(hotpath, "get_channel_layer", lambda alias: None)
    socket = Recorder()
    socket.channel_layer = None
    await socket.join("player.ana")
    await socket.leave("player.ana")
    assert socket.channel_name == ""
