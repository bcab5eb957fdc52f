"""Frames that nobody would write: each is a frame or an error with a sentence, and the socket lives on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection, connect

from chat.protocol import FRAME_TYPES, FrameError, parse
from tests.faults.fixtures import IS_LONG
from tests.faults.servers import Server

KEYS = [
    "type",
    "id",
    "session_id",
    "content",
    "metadata",
    "text",
    "action",
    "rating",
    "token",
    "character_id",
]
CANARY = "canary4711"
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from([*FRAME_TYPES, CANARY, "ex_breathing", "button_click", "\ud800", "\0"])
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner)
    ),
    max_leaves=12,
)
almost_frames = st.fixed_dictionaries(
    {"type": st.sampled_from([*FRAME_TYPES, CANARY])},
    optional={"id": values, "content": values, "session_id": values, "metadata": values},
)
raws = st.text() | values.map(json.dumps) | almost_frames.map(json.dumps)
many = settings(
    max_examples=5000 if IS_LONG else 300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@many
@given(raws)
@example('{"type": "ping", "id": "' + "\ud800" + '"}')
@example("[" * 100_000)
def test_any_text_is_a_frame_or_an_error_with_a_sentence(raw: str) -> None:
    problem: FrameError | None = None
    try:
        assert parse(raw).type in FRAME_TYPES
    except FrameError as error:
        problem = error
    if problem is not None:
        assert problem.text.endswith(".")
        assert CANARY not in problem.text + (problem.field or "")


@pytest.fixture(scope="module")
def socket(solo: Server) -> Iterator[ClientConnection]:
    token = solo.store.players[-1].token
    protocols: Any = ["chat.v1", f"bearer.{token}"]
    with connect(solo.socket_url, subprotocols=protocols, compression=None) as connection:
        yield connection


@many
@given(raw=raws.filter(lambda raw: not any(0xD800 <= ord(c) <= 0xDFFF for c in raw)) | st.binary())
@example(raw='{"type":"user_message","content":{"text":"' + "x" * 70_000 + '"}}')
def test_socket_lives_through_any_frame(raw: str | bytes, socket: ClientConnection) -> None:
    socket.send(raw)
    socket.send('{"type": "ping", "id": "still here"}')
    while True:
        frame = json.loads(socket.recv(timeout=10))
        assert frame["role"] in ("assistant", "interactive", "system")
        if frame.get("type") == "pong" and frame["metadata"].get("in_reply_to") == "still here":
            return
