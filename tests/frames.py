"""Frames that are not well-formed, each with the code and the field that its sender is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

KIB_64 = 64 * 1024


def frame(type: str = "user_message", **more: Any) -> str:
    return json.dumps({"type": type, **more})


def says(**more: Any) -> str:
    return frame(content={"text": "hello"}, **more)


def padded_to(size: int, character: str = "x") -> str:
    """A ping of exactly `size` bytes, filled with as many of `character` as fit."""
    head, tail = '{"type":"ping","x":"', '"}'
    room = size - len(head) - len(tail)
    count = room // len(character.encode())
    return head + character * count + "x" * (room - count * len(character.encode())) + tail


_BROKEN = {
    "cut off": '{"type": "ping"',
    "empty": "",
    "two objects": '{"type": "ping"} {"type": "ping"}',
    "single quotes": "{'type': 'ping'}",
    "nested 300 deep": '{"type": "ping", "x": ' + "[" * 300 + "]" * 300 + "}",
    "NaN": '{"type": "feedback", "content": {"rating": NaN}}',
    "Infinity": '{"type": "feedback", "content": {"rating": Infinity}}',
    "minus Infinity": '{"type": "feedback", "content": {"rating": -Infinity}}',
    "escaped lone surrogate": r'{"type": "user_message", "content": {"text": "\ud800"}}',
    "endless number": '{"type": "ping", "x": ' + "9" * 5000 + "}",
}
_NO_OBJECT = {"list": "[]", "number": "5", "string": '"ping"', "null": "null", "true": "true"}
_NO_TYPE = {
    "no type": "{}",
    "unknown type": frame("shout"),
    "role as type": frame("assistant", content={"text": "I am the server"}),
    "number as type": '{"type": 5}',
    "list as type": '{"type": ["ping"]}',
    "null as type": '{"type": null}',
}
_INVALID = {
    "no content": ("content", frame()),
    "content is null": ("content", frame(content=None)),
    "content is a list": ("content", frame(content=[])),
    "content is a string": ("content", frame(content="hello")),
    "no text": ("content.text", frame(content={})),
    "empty text": ("content.text", frame(content={"text": ""})),
    "blank text": ("content.text", frame(content={"text": " \n\t\u2003"})),
    "text is a number": ("content.text", frame(content={"text": 5})),
    "text too long": ("content.text", frame(content={"text": "x" * 10_001})),
    "id is a number": ("id", says(id=5)),
    "empty id": ("id", says(id="")),
    "NUL in id": ("id", says(id="a\0b")),
    "newline in id": ("id", says(id="a\n")),
    "id too long": ("id", says(id="x" * 129)),
    "session_id is a number": ("session_id", says(session_id=5)),
    "empty session_id": ("session_id", says(session_id="")),
    "session_id too long": ("session_id", says(session_id="x" * 65)),
    "metadata is a list": ("metadata", says(metadata=[])),
    "character_id is a number": ("metadata.character_id", says(metadata={"character_id": 5})),
    "blank in character_id": ("metadata.character_id", says(metadata={"character_id": "a b"})),
    "NUL in world_id": ("metadata.world_id", says(metadata={"world_id": "a\0"})),
    "world_id too long": ("metadata.world_id", says(metadata={"world_id": "x" * 65})),
    "interaction with nothing": ("content.id", frame("interaction", content={})),
    "unknown action": (
        "content.action",
        frame("interaction", content={"action": "fly", "id": "ex_breathing"}),
    ),
    "element id in capitals": ("content.id", frame("interaction", content={"id": "EX_BREATHING"})),
    "element id too long": ("content.id", frame("interaction", content={"id": "x" * 65})),
    "element id is a number": ("content.id", frame("interaction", content={"id": 5})),
    "feedback with nothing": ("content", frame("feedback", content={})),
    "rating 0": ("content.rating", frame("feedback", content={"rating": 0})),
    "rating 6": ("content.rating", frame("feedback", content={"rating": 6})),
    "rating as string": ("content.rating", frame("feedback", content={"rating": "5"})),
    "rating true": ("content.rating", frame("feedback", content={"rating": True})),
    "rating 4.5": ("content.rating", frame("feedback", content={"rating": 4.5})),
    "empty feedback text": ("content.text", frame("feedback", content={"text": ""})),
    "feedback text too long": ("content.text", frame("feedback", content={"text": "x" * 2001})),
    "about no element": ("content.about", frame("feedback", content={"rating": 1, "about": "The Walk"})),
    "settings with nothing": ("content", frame("update_settings", content={})),
    "settings unknown": ("content", frame("update_settings", content={"volume": 11})),
    "unknown intensity": ("content.intensity", frame("update_settings", content={"intensity": "extreme"})),
    "unknown approach": (
        "content.preferred_approaches.0",
        frame("update_settings", content={"preferred_approaches": ["hypnosis"]}),
    ),
    "approaches no list": (
        "content.preferred_approaches",
        frame("update_settings", content={"preferred_approaches": "cbt"}),
    ),
    "nine approaches": (
        "content.preferred_approaches",
        frame("update_settings", content={"preferred_approaches": ["cbt"] * 9}),
    ),
    "country in small letters": ("content.country", frame("update_settings", content={"country": "us"})),
    "unknown language": ("content.language", frame("update_settings", content={"language": "tlh"})),
    "switch to nothing": ("content", frame("switch_context", content={})),
    "switch to a blank": ("content.world_id", frame("switch_context", content={"world_id": " "})),
    "authenticate with nothing": ("content", frame("authenticate")),
    "empty token": ("content.token", frame("authenticate", content={"token": ""})),
    "token too long": ("content.token", frame("authenticate", content={"token": "x" * 4097})),
}

MALFORMED = [
    *(pytest.param(raw, "malformed_json", None, id=name) for name, raw in _BROKEN.items()),
    *(pytest.param(raw, "malformed_frame", None, id=name) for name, raw in _NO_OBJECT.items()),
    *(pytest.param(raw, "unknown_type", "type", id=name) for name, raw in _NO_TYPE.items()),
    *(pytest.param(raw, "invalid_frame", field, id=name) for name, (field, raw) in _INVALID.items()),
    *(
        pytest.param(padded_to(KIB_64 + 1, character), "frame_too_large", None, id=f"64 KiB + 1 of {name}")
        for character, name in {"x": "one byte", "é": "two bytes", "😀": "four bytes"}.items()
    ),
]
