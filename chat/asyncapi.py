"""The socket's AsyncAPI 3 document, made from the Pydantic models that read and write the frames."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, get_args

from pydantic.json_schema import models_json_schema

from chat.protocol import PROTOCOL, CloseCode, Frame, Pong
from therapy.messages import OutgoingMessage

_REF = "#/components/schemas/{model}"


def _message(name: str, summary: str) -> dict[str, Any]:
    return {
        "name": name,
        "contentType": "application/json",
        "summary": summary,
        "payload": {"$ref": _REF.format(model=name)},
    }


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    incoming = {model.__name__: model for model in get_args(Frame)}
    outgoing = {model.__name__: model for model in (OutgoingMessage, Pong)}
    _, schemas = models_json_schema(
        [(model, "validation") for model in incoming.values()]
        + [(model, "serialization") for model in outgoing.values()],
        ref_template=_REF,
    )
    messages = {name: _message(name, f"type `{_tag(model)}`") for name, model in incoming.items()}
    messages |= {
        "OutgoingMessage": _message(
            "OutgoingMessage", "whatever the server says; durable where metadata.seq is set"
        ),
        "Pong": _message("Pong", "the answer to a ping"),
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "django-therapeutic-chat socket",
            "version": PROTOCOL,
            "description": (
                "One JSON object a text frame. Authenticate with subprotocol `bearer.<jwt>` beside `chat.v1`, header "
                "`Authorization: Bearer <jwt>`, or query `token`. Close codes: "
                + ", ".join(f"{code.value} {code.name.lower()}" for code in CloseCode)
                + "."
            ),
        },
        "channels": {
            "chat": {
                "address": "/ws/chat",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {"ws": {"query": _query_options()}},
            }
        },
        "operations": {
            "send": _operation("receive", incoming),
            "receive": _operation("send", outgoing),
        },
        "components": {"messages": messages, "schemas": schemas["$defs"]},
    }


def _tag(model: Any) -> str:
    return str(get_args(model.model_fields["type"].annotation)[0])


def _operation(action: str, models: dict[str, Any]) -> dict[str, Any]:
    """`action` is the server's side of it, as AsyncAPI 3 has it."""
    return {
        "action": action,
        "channel": {"$ref": "#/channels/chat"},
        "messages": [{"$ref": f"#/channels/chat/messages/{name}"} for name in models],
    }


def _query_options() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "token": {
                "type": "string",
                "description": "Access token, where neither subprotocol nor header can carry it.",
            },
            "typing": {"enum": ["1", "true", "yes"], "description": "Tell when an answer is being written."},
            "since": {
                "type": "string",
                "pattern": "^[0-9]+$",
                "description": "Replay what came after this seq.",
            },
        },
    }
