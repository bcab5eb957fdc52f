"""The same contract, driven over real sockets: `serve` (uvicorn), alone and with two workers, and `runserver` (Daphne)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import websockets
from django.conf import settings
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.faults.servers import Redis

ROOT = settings.BASE_DIR
COMMANDS = {"uvicorn": ["serve"], "workers": ["serve"], "daphne": ["runserver", "--noreload"]}
WORDS = "zanzibar marmalade"


@dataclass
class Served:
    """A server in a process of its own, with a database of its own."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    output: Path
    tokens: dict[str, str]

    def connect(self, path: str = "/ws/chat", *, token: str | None = "ana", **options: Any):
        protocols = ["chat.v1", f"bearer.{self.tokens.get(token, token)}"] if token else None
        address = f"ws://127.0.0.1:{self.port}{path}"
        return websockets.connect(address, subprotocols=protocols, ping_interval=None, **options)

    @property
    def said(self) -> str:
        """All that it has written so far."""
        return self.output.read_text()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


#: Makes the people and prints a token of each kind, in the server's own settings.
PEOPLE = """
from datetime import timedelta
from django.contrib.auth import get_user_model
from rest_framework_simplejwt.tokens import RefreshToken
from chat.auth import access_token
make = get_user_model().objects.create_user
ana, gone = make("ana"), make("gone")
inactive = access_token(gone)
gone.is_active = False
gone.save()
tokens = {
    "ana": access_token(ana), "cleo": access_token(make("cleo")), "inactive": inactive,
    "expired": access_token(ana, timedelta(seconds=-1)), "refresh": str(RefreshToken.for_user(ana)),
}
import json; print("TOKENS" + json.dumps(tokens))
"""


def manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    database = tmp_path_factory.mktemp("served") / "db.sqlite3"
    return {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{database}",
        "DEBUG": "1",
        "CHAT_RATE_LIMIT": "1000/second",
    }


@pytest.fixture(scope="module")
def tokens(environment: dict[str, str]) -> dict[str, str]:
    manage(environment, "migrate", "--verbosity", "0")
    said = manage(environment, "shell", "--no-imports", "--command", PEOPLE)
    return json.loads(said.rsplit("TOKENS")[-1])


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    redis = Redis(tmp_path_factory.mktemp("redis")).start()
    yield redis.url
    redis.kill()


@pytest.fixture(scope="module", params=COMMANDS)
def served(
    request: pytest.FixtureRequest, environment: dict[str, str], tokens: dict[str, str], tmp_path_factory: Any
) -> Iterator[Served]:
    port, output = free_port(), tmp_path_factory.mktemp(request.param) / "output"
    command = [sys.executable, "manage.py", *COMMANDS[request.param]]
    if request.param == "daphne":
        command.append(f"127.0.0.1:{port}")
    environment = {**environment, "PORT": str(port)}
    if request.param == "workers":
        environment |= {"WORKERS": "2", "REDIS_URL": request.getfixturevalue("redis_url")}
    with output.open("wb") as sink:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=sink, stderr=sink)
    try:
        _wait_until_ready(port, process, output)
        yield Served(request.param, port, process, output, tokens)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(port: int, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, output.read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(output.read_text())


async def receive(client: ClientConnection) -> dict[str, Any]:
    return json.loads(await asyncio.wait_for(client.recv(), 5))


async def receive_until(client: ClientConnection, **wanted: Any) -> dict[str, Any]:
    while True:
        frame = await receive(client)
        if all({**frame, **frame["content"]}.get(key) == value for key, value in wanted.items()):
            return frame


async def say(client: ClientConnection, text: str, **frame: Any) -> None:
    await client.send(json.dumps({"type": "user_message", "content": {"text": text}, **frame}))


async def _read_to_the_end(client: ClientConnection) -> None:
    while True:
        await asyncio.wait_for(client.recv(), 5)


async def closed_with(client: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as caught:
        await _read_to_the_end(client)
    assert caught.value.rcvd is not None, "the connection was cut, not closed"
    return caught.value.rcvd.code, caught.value.rcvd.reason


async def test_contract_holds(served):
    async with served.connect() as client:
        assert client.subprotocol == "chat.v1"
        welcome = await receive(client)
        assert welcome["content"]["text"] == "Connected to therapeutic chat. You're safe here."
        await say(client, WORDS, id=f"m-{served.name}")
        ack = await receive_until(client, event="ack")
        answer = await receive_until(client, role="assistant")
        assert answer["metadata"]["seq"] == ack["content"]["seq"] + 1


@pytest.mark.parametrize("way", ["header", "query"])
async def test_token_is_taken_by_header_and_query(served, way):
    token = served.tokens["ana"]
    path = f"/ws/chat?token={token}" if way == "query" else "/ws/chat"
    headers = {"Authorization": f"Bearer {token}"} if way == "header" else {}
    async with served.connect(path, token=None, additional_headers=headers) as client:
        assert (await receive(client))["content"]["event"] == "welcome"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (None, "token_missing"),
        ("x.y.z", "token_invalid"),
        ("refresh", "token_invalid"),
        ("expired", "token_expired"),
        ("inactive", "user_inactive"),
    ],
)
async def test_bad_token_is_told_and_closed_with_1008(served, token, code):
    async with served.connect(token=token) as client:
        assert (await receive(client))["content"]["code"] == code
        assert await closed_with(client) == (1008, code)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
async def test_page_of_another_origin_gets_403(served, origin):
    with pytest.raises(InvalidStatus) as caught:
        async with served.connect(origin=origin):
            pass
    assert caught.value.response.status_code == 403


async def test_page_of_the_servers_own_origin_is_let_in(served):
    async with served.connect(origin=f"http://127.0.0.1:{served.port}") as client:
        assert (await receive(client))["content"]["event"] == "welcome"


@pytest.mark.parametrize("path", ["/", "/ws/chatter", "/ws/%0Achat"])
async def test_unknown_path_is_closed_without_a_traceback(served, path):
    with pytest.raises(InvalidStatus) as caught:
        async with served.connect(path):
            pass
    assert caught.value.response.status_code == 403
    assert "Traceback" not in served.said


async def test_frame_of_70_kib_is_an_error_and_the_socket_lives_on(served):
    async with served.connect() as client:
        await client.send("x" * 70 * 1024)
        assert (await receive_until(client, event="error"))["content"]["code"] == "frame_too_large"
        await client.send('{"type": "ping"}')
        assert await receive_until(client, type="pong")


async def test_frame_of_200_kib_is_closed_with_1009(served):
    async with served.connect() as client:
        await receive(client)
        await client.send("x" * 200 * 1024)
        assert (await closed_with(client))[0] == 1009


async def test_binary_frame_is_an_error_and_the_socket_lives_on(served):
    async with served.connect() as client:
        await client.send(b"\x00\xff")
        assert (await receive_until(client, event="error"))["content"]["code"] == "binary_frame"
        await client.send('{"type": "ping"}')
        assert await receive_until(client, type="pong")


async def test_other_device_sees_it_and_nobody_else(served):
    async with (
        served.connect() as phone,
        served.connect() as laptop,
        served.connect(token="cleo") as outsider,
    ):
        for client in (phone, laptop, outsider):
            await receive(client)
        await say(phone, WORDS)
        said, answer = await receive(laptop), await receive(laptop)
        assert (said["role"], answer["role"]) == ("user", "assistant")
        await outsider.send('{"type": "ping"}')
        assert (await receive(outsider))["type"] == "pong"


async def test_what_was_missed_is_replayed(served):
    async with served.connect() as client:
        seq = (await receive(client))["metadata"]["seq"]
        await say(client, WORDS)
        await receive(client)
    async with served.connect(f"/ws/chat?since={seq}") as client:
        assert (await receive(client))["metadata"]["resumed"] is True
        assert [(await receive(client))["metadata"]["seq"] for _ in range(2)] == [seq + 1, seq + 2]


async def test_renewed_token_is_answered(served):
    async with served.connect() as client:
        frame = {"type": "authenticate", "content": {"token": served.tokens["ana"]}}
        await client.send(json.dumps(frame))
        assert await receive_until(client, event="authenticated")


def test_page_and_documents_are_served(served):
    for path in ("/", "/api/asyncapi.json", "/metrics", "/static/chat/main.js"):
        with urllib.request.urlopen(f"http://127.0.0.1:{served.port}{path}", timeout=5) as answer:
            assert answer.status == 200


async def test_neither_tokens_nor_words_are_in_the_output(served):
    async with served.connect(f"/ws/chat?token={served.tokens['ana']}&typing=1", token=None) as client:
        await say(client, WORDS)
        await receive_until(client, role="assistant")
    said = served.said
    assert "ws_connect" in said
    for secret in (*served.tokens.values(), "eyJ", *WORDS.split()):
        assert secret not in said
    assert "Traceback" not in said


async def test_socket_is_told_of_a_restart(served):
    async with served.connect() as client:
        await receive(client)
        served.process.send_signal(signal.SIGTERM)
        assert (await closed_with(client))[0] == 1012
    assert await asyncio.to_thread(served.process.wait, 15) == 0
