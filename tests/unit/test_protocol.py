from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from chat import protocol
from chat.protocol import CloseCode, FrameError, Ping, parse, serialize
from tests.frames import KIB_64, MALFORMED, frame, padded_to, says
from therapy.messages import (
    Button,
    Feedback,
    Interaction,
    OutgoingContent,
    OutgoingMessage,
    SwitchContext,
    UpdateSettings,
    UserMessage,
)

KEYS = {"id", "role", "session_id", "content", "timestamp", "metadata"}


def problem_of(raw: str) -> FrameError:
    with pytest.raises(FrameError) as caught:
        parse(raw)
    return caught.value


def wire(message: OutgoingMessage) -> dict:
    return json.loads(serialize(message))


# --- reading -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "model"),
    [
        (says(), UserMessage),
        (frame("interaction", content={"action": "button_click", "id": "ex_breathing"}), Interaction),
        (frame("interaction", content={"id": "ex_breathing"}), Interaction),
        (frame("feedback", content={"rating": 5}), Feedback),
        (frame("feedback", content={"text": "It helped."}), Feedback),
        (frame("switch_context", content={"character_id": "mira", "world_id": "harbour"}), SwitchContext),
        (frame("switch_context", metadata={"world_id": "harbour"}), SwitchContext),
        (frame("update_settings", content={"intensity": "low"}), UpdateSettings),
        (frame("ping"), Ping),
        (frame("authenticate", content={"token": "a.b.c"}), protocol.Authenticate),
    ],
)
def test_each_type_is_read_as_its_model(raw, model):
    assert type(parse(raw)) is model


def test_every_type_of_the_list_is_read():
    assert set(protocol.FRAME_TYPES) == set(protocol.FRAME.json_schema()["discriminator"]["mapping"])


def test_what_a_frame_says_is_kept():
    found = parse(says(id="m1", session_id="s", metadata={"character_id": "mira", "world_id": "harbour"}))
    assert (found.id, found.session_id, found.content.text) == ("m1", "s", "hello")
    assert (found.metadata.character_id, found.metadata.world_id) == ("mira", "harbour")


@pytest.mark.parametrize(("raw", "code", "field"), MALFORMED)
def test_malformed_frame_is_named_by_code_and_field(raw, code, field):
    problem = problem_of(raw)
    assert (problem.code, problem.field) == (code, field)


@pytest.mark.parametrize(("raw", "code", "field"), MALFORMED)
def test_malformed_frame_is_answered_with_a_sentence(raw, code, field):
    text = problem_of(raw).text
    assert text.endswith(".")
    assert " " in text
    assert "Content" not in text.replace("content", ""), "a class name is no word for a person"


def test_error_names_the_frame_it_is_about():
    assert problem_of(frame(id="m1")).client_id == "m1"
    assert problem_of(frame("shout", id="m1")).client_id == "m1"


@pytest.mark.parametrize("bad", [5, "a\0", "x" * 129, "", ["m1"]])
def test_error_repeats_no_unusable_id(bad):
    assert problem_of(frame(id=bad)).client_id is None


@pytest.mark.parametrize(("raw", "code", "field"), MALFORMED)
def test_error_never_quotes_the_frame(raw, code, field):
    canary = raw.replace("hello", "zanzibar").replace("shout", "zanzibar").replace("extreme", "zanzibar")
    assert "zanzibar" not in problem_of(canary).text


def test_raw_lone_surrogate_is_malformed():
    assert problem_of('{"type": "user_message", "content": {"text": "\ud800"}}').code == "malformed_json"


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_frame_of_exactly_64_kib_is_read(character):
    raw = padded_to(KIB_64, character)
    assert len(raw.encode()) == KIB_64
    assert isinstance(parse(raw), Ping)


def test_nesting_that_clients_may_need_is_read():
    assert isinstance(parse('{"type": "ping", "x": ' + "[" * 100 + "]" * 100 + "}"), Ping)


def test_unknown_keys_are_ignored():
    assert isinstance(parse(frame("ping", content=5, colour="red")), Ping)


@pytest.mark.parametrize("text", ["\0", "a\0b", "𝒷old", "\u202e", "x" * 10_000, "i’m sad"])
def test_any_text_up_to_the_bound_is_kept_as_it_is(text):
    assert parse(frame(content={"text": text})).content.text == text


# --- writing -----------------------------------------------------------------------------------------


def test_serialized_frame_has_always_the_same_keys():
    assert set(wire(OutgoingMessage(role="assistant", content=OutgoingContent(text="Hi.")))) == KEYS
    assert set(wire(protocol.error(FrameError("code", "Text.")))) == KEYS


def test_pong_has_its_type_beside_the_usual_keys():
    pong = wire(protocol.pong("p1"))
    assert set(pong) == KEYS | {"type"}
    assert (pong["type"], pong["role"], pong["metadata"]["in_reply_to"]) == ("pong", "system", "p1")


def test_content_has_always_text_and_elements():
    assert wire(protocol.pong(None))["content"] == {"text": "", "elements": [], "event": "pong"}


def test_timestamp_is_iso_8601_in_utc():
    at = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    message = OutgoingMessage(role="system", content=OutgoingContent(), timestamp=at)
    assert wire(message)["timestamp"] == "2026-11-22T09:30:00Z"


def test_elements_keep_their_order_and_fields():
    elements = [Button(id="ex_b", label="B"), Button(id="ex_a", label="A")]
    content = wire(OutgoingMessage(role="assistant", content=OutgoingContent(elements=elements)))["content"]
    assert content["elements"] == [
        {"type": "button", "id": "ex_b", "label": "B"},
        {"type": "button", "id": "ex_a", "label": "A"},
    ]


def test_id_starts_with_msg():
    assert wire(protocol.pong(None))["id"].startswith("msg_")


def _welcome(**changes):
    given = {
        "seq": 7,
        "resumed": None,
        "heartbeat_seconds": 25,
        "limits": {"frame_bytes": KIB_64},
        "token_expires_at": datetime(2026, 11, 22, tzinfo=UTC),
        "history_path": None,
    }
    return wire(protocol.welcome(**{**given, **changes}))


def test_welcome_says_what_a_client_needs_to_know():
    welcome = _welcome()
    assert welcome["content"]["text"] == "Connected to therapeutic chat. You're safe here."
    assert welcome["metadata"] == {
        "protocol": "chat.v1",
        "seq": 7,
        "heartbeat_seconds": 25,
        "limits": {"frame_bytes": KIB_64},
        "token_expires_at": "2026-11-22T00:00:00Z",
        "safety": {"crisis": False, "types": [], "level": "none"},
    }


def test_welcome_after_a_gap_names_the_history():
    metadata = _welcome(resumed=False, history_path="/api/messages/")["metadata"]
    assert metadata["resumed"] is False
    assert metadata["history_path"] == "/api/messages/"


def test_ack_names_frame_place_and_whether_it_came_before():
    ack = wire(protocol.Ack("m1", 3, is_duplicate=True))
    assert ack["content"] == {"text": "", "elements": [], "event": "ack", "seq": 3, "duplicate": True}
    assert ack["metadata"]["in_reply_to"] == "m1"
    assert ack["metadata"]["client_id"] == "m1"


def test_error_frame_holds_what_helps_and_nothing_empty():
    content = wire(protocol.error(FrameError("rate_limited", "Wait.", retry_after_ms=500)))["content"]
    expected = {"event": "error", "code": "rate_limited", "text": "Wait.", "retry_after_ms": 500}
    assert content == {**expected, "elements": []}


def test_typing_says_start_and_stop():
    frame = wire(protocol.typing("start", "m1"))
    assert (frame["content"]["event"], frame["content"]["status"]) == ("typing", "start")
    assert frame["metadata"]["in_reply_to"] == "m1"


def test_event_carries_fields_of_its_own():
    content = wire(protocol.event("authenticated", until=5))["content"]
    assert (content["event"], content["until"]) == ("authenticated", 5)


def test_close_codes_are_those_of_rfc_6455():
    assert (CloseCode.POLICY, CloseCode.TOO_BIG, CloseCode.RESTART, CloseCode.TRY_LATER) == (
        1008,
        1009,
        1012,
        1013,
    )
