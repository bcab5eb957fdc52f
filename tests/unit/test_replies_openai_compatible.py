"""The OpenAI-compatible engine against a real HTTP server on this machine: slow, cut off, wrong, unsafe.

The tests that speak HTTP need the extra (pydantic-ai-slim[openai]) and are skipped, visibly, without it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from therapy.replies import relay
from therapy.replies.base import EngineError, ReplyRequest, Utterance
from therapy.replies.embedded import EmbeddedEngine
from therapy.replies.openai_compatible import (
    MISSING,
    OpenAICompatibleEngine,
    bounded,
    estimate_tokens,
)
from therapy.replies.prompt import system_prompt
from therapy.replies.relay import Answerer

needs_extra = pytest.mark.skipif(
    importlib.util.find_spec("pydantic_ai") is None or importlib.util.find_spec("openai") is None,
    reason="the extra is not installed: pip install 'pydantic-ai-slim[openai]>=2.68,<3'",
)
EMBEDDED = EmbeddedEngine()
REQUEST = ReplyRequest("My sister and I fought again.")
SAFE = "You two keep ending up there. What was it about, underneath?"

Answer = Callable[[asyncio.StreamWriter, dict[str, Any]], Any]


class Server:
    """One asyncio server; `answer` writes the response to a request body. Requests are kept."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.bodies, self.headers = answer, [], []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
            )
            body = json.loads(await reader.readexactly(length))
            self.bodies.append(body)
            self.headers.append(head.decode())
            await self.answer(writer, body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, StopIteration):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[tuple[OpenAICompatibleEngine, Server]]:
    server = Server(answer)
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    engine = OpenAICompatibleEngine(base_url=f"http://127.0.0.1:{port}/v1", model="small", api_key="k-123")
    try:
        yield engine, server
    finally:
        await engine.close()
        listening.close()


def response(status: str, body: bytes, content_type: str = "application/json") -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body


def completion(text: str | None) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    body = {"id": "c1", "object": "chat.completion", "created": 1, "model": "small", "choices": [choice]}
    return json.dumps(
        {**body, "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
    ).encode()


def saying(text: str | None) -> Answer:
    async def answer(writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        writer.write(response("200 OK", completion(text)))

    return answer


def failing(status: str, body: bytes = b'{"error": {"message": "no: my sister and I"}}') -> Answer:
    async def answer(writer: asyncio.StreamWriter, asked: dict[str, Any]) -> None:
        writer.write(response(status, body))

    return answer


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    body = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "small"}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({**body, "choices": [choice]}).encode() + b"\n\n"


def streaming(*pieces: str, finish: bool = True, pause: float = 0.0) -> Answer:
    async def answer(writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        for piece in pieces:
            writer.write(chunk({"role": "assistant", "content": piece}))
            await writer.drain()
            await asyncio.sleep(pause)
        if finish:
            writer.write(chunk({}, "stop") + b"data: [DONE]\n\n")

    return answer


# --- without the extra -----------------------------------------------------------------------------


def test_missing_extra_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(EngineError) as caught:
        OpenAICompatibleEngine(base_url="http://127.0.0.1:1/v1", model="m", api_key="k")
    assert (caught.value.reason, caught.value.permanent) == (MISSING, True)


def test_estimate_errs_upwards() -> None:
    assert estimate_tokens("hello there") >= 4
    assert estimate_tokens("我今天很难过") > estimate_tokens("hello!")


def test_conversation_is_bounded_from_its_oldest_lines_on() -> None:
    recent = tuple(Utterance("player", f"{i} " + "word " * 60) for i in range(24))
    kept, text = bounded(recent, "now", limit=600)
    assert 0 < len(kept) < 24
    assert kept == recent[-len(kept) :]
    assert sum(estimate_tokens(line.text) for line in kept) + estimate_tokens(text) <= 600


def test_message_too_long_by_itself_keeps_both_ends() -> None:
    kept, text = bounded((Utterance("player", "before"),), "first " + "x" * 10_000 + " last", limit=400)
    assert kept == ()
    assert text.startswith("first")
    assert text.endswith("last")
    assert estimate_tokens(text) <= 400


def test_prompt_names_character_world_and_what_helped() -> None:
    request = ReplyRequest(
        "hi", character_id="char_elven-ranger", world_id="forest", helped_before=("grounding",), is_low=True
    )
    prompt = system_prompt(request)
    assert "Elven Ranger" in prompt
    assert "Forest" in prompt
    assert "grounding" in prompt
    assert "gentle, open question" in prompt


def test_prompt_asks_for_the_players_language() -> None:
    assert "Spanish" in system_prompt(ReplyRequest("hola", language="es"))


# --- over HTTP --------------------------------------------------------------------------------------


@needs_extra
async def test_answer_becomes_the_draft_and_the_key_travels_as_bearer() -> None:
    async with serving(saying(SAFE)) as (engine, server):
        draft = await engine.draft(REQUEST)
    assert (draft.text, draft.engine) == (SAFE, "openai_compatible")
    assert "bearer k-123" in server.headers[0].lower()


@needs_extra
async def test_request_holds_rules_history_and_text_in_order() -> None:
    recent = (Utterance("player", "hi"), Utterance("companion", "Hello."))
    async with serving(saying(SAFE)) as (engine, server):
        await engine.draft(ReplyRequest("My sister left.", recent))
    messages = server.bodies[0]["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[-1]["content"] == "My sister left."
    assert server.bodies[0]["model"] == "small"


@needs_extra
@pytest.mark.parametrize(
    ("status", "permanent"),
    [
        ("429 Too Many Requests", False),
        ("500 Oops", False),
        ("503 Busy", False),
        ("401 No", True),
        ("404 No", True),
    ],
)
async def test_status_tells_whether_asking_again_helps(status: str, permanent: bool) -> None:
    async with serving(failing(status)) as (engine, server):
        with pytest.raises(EngineError) as caught:
            await engine.draft(REQUEST)
    assert caught.value.permanent is permanent
    assert len(server.bodies) == 1  # repeating is the relay's
    assert "sister" not in str(caught.value)


@needs_extra
@pytest.mark.parametrize(
    "body", [b"<html>proxy</html>", b"{", b"[]", b"null", b'{"choices": []}', b"\xff\xfe"]
)
async def test_garbage_is_a_failure(body: bytes) -> None:
    async with serving(failing("200 OK", body)) as (engine, _):
        with pytest.raises(EngineError):
            await engine.draft(REQUEST)


@needs_extra
async def test_empty_answer_is_a_failure() -> None:
    async with serving(saying("  ")) as (engine, _):
        with pytest.raises(EngineError):
            await engine.draft(REQUEST)


@needs_extra
async def test_closed_port_is_a_failure() -> None:
    engine = OpenAICompatibleEngine(base_url="http://127.0.0.1:9/v1", model="m", api_key="")
    with pytest.raises(EngineError) as caught:
        await engine.draft(REQUEST)
    await engine.close()
    assert not caught.value.permanent


@needs_extra
async def test_slow_server_is_replaced_at_the_deadline() -> None:
    async def sleep(writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        await asyncio.sleep(30)

    async with serving(sleep) as (engine, _), asyncio.timeout(5):
        draft = await Answerer(engine, EMBEDDED, deadline_seconds=0.3).answer(REQUEST)
    assert draft.engine == "embedded"


@needs_extra
async def test_unsafe_text_is_replaced() -> None:
    async with serving(saying("You have depression. Call 555-123-4567.")) as (engine, _):
        draft = await Answerer(engine, EMBEDDED).answer(REQUEST)
    assert draft.engine == "embedded"


@needs_extra
async def test_server_that_fails_once_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "RETRY_AFTER_SECONDS", 0.0)
    answers = [failing("503 Busy"), saying(SAFE)]

    async def answer(writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        await answers.pop(0)(writer, body)

    async with serving(answer) as (engine, server):
        draft = await Answerer(engine, EMBEDDED).answer(REQUEST)
    assert (draft.text, len(server.bodies)) == (SAFE, 2)


@needs_extra
async def test_stream_arrives_piece_by_piece() -> None:
    async with serving(streaming("You two ", "keep ending", " up there.")) as (engine, server):
        pieces = [piece async for piece in engine.stream(REQUEST)]
    assert "".join(pieces) == "You two keep ending up there."
    assert len(pieces) == 3
    assert server.bodies[0]["stream"] is True


@needs_extra
async def test_stream_goes_out_by_sentences_and_ends_in_the_draft() -> None:
    shown: list[str] = []

    async def show(piece: str) -> None:
        shown.append(piece)

    async with serving(streaming("You two keep ending up ", "there. What was it", " about?")) as (engine, _):
        draft = await Answerer(engine, EMBEDDED).stream(REQUEST, show)
    assert shown == ["You two keep ending up there. ", "What was it about?"]
    assert draft.text == "".join(shown)
    assert draft.engine == "openai_compatible"


@needs_extra
@pytest.mark.parametrize(
    "answer",
    [
        streaming("You two keep ending up there. And", finish=False),
        streaming("You two keep ending up there. ", "You have ", "bipolar disorder."),
        streaming("You two keep ending up there. ", "And ", "then ", "some", pause=0.2),
    ],
    ids=["cut off", "unsafe", "slow"],
)
async def test_stream_that_ends_badly_is_void_and_replaced(answer: Answer) -> None:
    shown: list[str] = []
    voids: list[bool] = []

    async def show(piece: str) -> None:
        shown.append(piece)

    async def void() -> None:
        voids.append(True)

    async with serving(answer) as (engine, _):
        draft = await Answerer(engine, EMBEDDED, deadline_seconds=0.5).stream(REQUEST, show, void)
    assert draft.engine == "embedded"
    assert shown == ["You two keep ending up there. "]
    assert voids == [True]
