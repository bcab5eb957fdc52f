"""The wire: how a frame is read and written, what errors and closes are called. No Django, no I/O.

What a well-formed frame means is `therapy.messages`' business; here stands what concerns every frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import from_json

from therapy.messages import (
    Feedback,
    IncomingFrame,
    Interaction,
    OutgoingContent,
    OutgoingMessage,
    OutgoingMetadata,
    Safety,
    SwitchContext,
    UpdateSettings,
    UserMessage,
    new_id,
    plain,
    utc_now,
)

PROTOCOL = "chat.v1"
FRAME_BYTES_MAX = 64 * 1024
WELCOME = "Connected to therapeutic chat. You're safe here."


class CloseCode(IntEnum):
    """RFC 6455, section 7.4.1, and the IANA registry for 1012 and 1013."""

    NORMAL = 1000
    GOING_AWAY = 1001
    POLICY = 1008
    TOO_BIG = 1009
    INTERNAL = 1011
    RESTART = 1012
    TRY_LATER = 1013


class FrameError(Exception):
    """What is wrong with a frame, in a code for programs and a sentence for people; it never quotes the frame."""

    def __init__(
        self,
        code: str,
        text: str,
        *,
        field: str | None = None,
        client_id: str | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.text = text
        self.field = field
        self.client_id = client_id
        self.retry_after_ms = retry_after_ms


# --- reading -----------------------------------------------------------------------------------------


class Ping(IncomingFrame):
    type: Literal["ping"]


class TokenContent(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)
    token: Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class Authenticate(IncomingFrame):
    """A fresh access token of the same player for the live socket."""

    type: Literal["authenticate"]
    content: TokenContent


Frame = UserMessage | Interaction | Feedback | SwitchContext | UpdateSettings | Ping | Authenticate
FRAME: TypeAdapter[Frame] = TypeAdapter(Annotated[Frame, Field(discriminator="type")])
FRAME_TYPES = (
    "user_message",
    "interaction",
    "feedback",
    "switch_context",
    "update_settings",
    "ping",
    "authenticate",
)


def parse(raw: str) -> Frame:
    """A frame of a player; FrameError says what is wrong with it.

    At most 64 KiB of UTF-8, strict RFC 8259 JSON (no NaN, no lone surrogates), nested at most 200 deep.
    """
    # An encoded character takes at least one byte and at most four, so most frames are not encoded to be measured.
    if len(raw) * 4 > FRAME_BYTES_MAX and len(raw.encode(errors="replace")) > FRAME_BYTES_MAX:
        raise FrameError(
            "frame_too_large", f"A frame may have at most {FRAME_BYTES_MAX} bytes. Send it in parts."
        )
    try:
        found = from_json(raw, allow_inf_nan=False)
    except (TypeError, ValueError) as error:  # TypeError: a lone surrogate that was no escape
        raise FrameError("malformed_json", "This is not valid JSON. Send one JSON object a frame.") from error
    if not isinstance(found, dict):
        raise FrameError("malformed_frame", "Send one JSON object a frame.")
    try:
        return FRAME.validate_python(found)
    except ValidationError as error:
        raise _frame_error(found, error) from error


#: Where Pydantic's own sentence would name a class of ours.
_SAID = {"model_type": "must be a JSON object"}
_PATTERNS = {
    "id": "must be 1 to 128 printable characters",
    "country": "must be a country's two capital letters, such as US",
    "character_id": "may hold letters, digits and . : @ + - _ only",
    "world_id": "may hold letters, digits and . : @ + - _ only",
}
_ELEMENT_ID = "must be the id of a button, such as ex_breathing"


def _frame_error(found: dict[str, Any], error: ValidationError) -> FrameError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    client_id = found.get("id")
    if not isinstance(client_id, str) or not client_id.isprintable() or not 1 <= len(client_id) <= 128:
        client_id = None
    if first["type"].startswith("union_tag"):
        text = f"type must be one of {', '.join(FRAME_TYPES)}."
        return FrameError("unknown_type", text, field="type", client_id=client_id)
    field = ".".join(str(part) for part in first["loc"][1:]) or "content"
    said = _SAID.get(first["type"], first["msg"].removeprefix("Value error, "))
    if first["type"] == "string_pattern_mismatch":
        name = field.removeprefix("content.").removeprefix("metadata.")
        said = (
            _ELEMENT_ID
            if field in ("content.id", "content.about")
            else _PATTERNS.get(name, "has a character it may not hold")
        )
    return FrameError("invalid_frame", f"{field}: {said}.", field=field, client_id=client_id)


# --- writing -----------------------------------------------------------------------------------------


class Pong(OutgoingMessage):
    type: Literal["pong"] = "pong"


@dataclass(frozen=True, slots=True)
class Ack:
    """The frame `client_id` is stored, as `seq`. No model like the others: every act of every player gets one."""

    client_id: str
    seq: int
    is_duplicate: bool
    role: Literal["system"] = "system"


def serialize(message: OutgoingMessage | Ack) -> str:
    """The frame as it goes over the wire, always with the same six keys."""
    if isinstance(message, Ack):
        return _serialize_ack(message)
    frame = {
        "id": message.id,
        "role": message.role,
        "session_id": message.session_id,
        "content": message.content,
        "timestamp": message.timestamp,
        "metadata": message.metadata,
    }
    if isinstance(message, Pong):
        frame["type"] = message.type
    return orjson.dumps(frame, default=plain, option=orjson.OPT_UTC_Z).decode()


def _serialize_ack(ack: Ack) -> str:
    place = {"seq": ack.seq, "duplicate": ack.is_duplicate}
    frame = {
        "id": f"msg_{new_id()}",
        "role": ack.role,
        "session_id": None,
        "content": {"text": "", "elements": [], "event": "ack", **place},
        "timestamp": utc_now(),
        "metadata": {"in_reply_to": ack.client_id, "client_id": ack.client_id, **place},
    }
    return orjson.dumps(frame, option=orjson.OPT_UTC_Z).decode()


def _system(content: OutgoingContent, **metadata: Any) -> OutgoingMessage:
    return OutgoingMessage(role="system", content=content, metadata=OutgoingMetadata(**metadata))


def welcome(
    *,
    seq: int,
    resumed: bool | None,
    heartbeat_seconds: float,
    limits: dict[str, Any],
    token_expires_at: datetime,
    history_path: str | None,
) -> OutgoingMessage:
    """The first frame. `seq` is the newest in the log; `resumed` is missing where nothing was asked for."""
    return _system(
        OutgoingContent(text=WELCOME, event="welcome"),
        protocol=PROTOCOL,
        seq=seq,
        resumed=resumed,
        history_path=history_path,
        heartbeat_seconds=heartbeat_seconds,
        limits=limits,
        token_expires_at=token_expires_at,
        safety=Safety(),
    )


def error(problem: FrameError) -> OutgoingMessage:
    content = OutgoingContent(
        event="error",
        code=problem.code,
        text=problem.text,
        field=problem.field,
        retry_after_ms=problem.retry_after_ms,
    )
    return _system(content, in_reply_to=problem.client_id)


def typing(status: Literal["start", "stop"], in_reply_to: str | None) -> OutgoingMessage:
    return _system(OutgoingContent(event="typing", status=status), in_reply_to=in_reply_to)


def event(name: str, text: str = "", in_reply_to: str | None = None, **fields: Any) -> OutgoingMessage:
    return _system(OutgoingContent(event=name, text=text, **fields), in_reply_to=in_reply_to)


def pong(client_id: str | None) -> Pong:
    return Pong(
        role="system", content=OutgoingContent(event="pong"), metadata=OutgoingMetadata(in_reply_to=client_id)
    )
