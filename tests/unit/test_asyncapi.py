"""Whether the socket's document is AsyncAPI 3 (asyncapi.com/docs/reference/specification/v3.0.0) in structure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chat.asyncapi import document
from chat.protocol import FRAME_TYPES, CloseCode
from therapy.messages import TEXT_MAX

DOCUMENT = document()
TAKEN = {
    "user_message",
    "interaction",
    "feedback",
    "switch_context",
    "update_settings",
    "ping",
    "authenticate",
}


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def resolve(reference: str) -> Any:
    part = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        part = part[name]
    return part


def payload(name: str) -> dict[str, Any]:
    return resolve(DOCUMENT["components"]["messages"][name]["payload"]["$ref"])


def test_document_has_the_required_parts():
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    assert {"channels", "operations", "components"} <= DOCUMENT.keys()


def test_every_reference_leads_somewhere():
    found = set(references(DOCUMENT))
    assert found
    assert all(resolve(reference) for reference in found)


def test_there_is_one_channel_at_the_socket():
    assert [channel["address"] for channel in DOCUMENT["channels"].values()] == ["/ws/chat"]


def test_messages_of_operations_are_messages_of_their_channel():
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in {"send", "receive"}
        channel = operation["channel"]["$ref"]
        assert all(message["$ref"].startswith(f"{channel}/messages/") for message in operation["messages"])


def test_messages_name_their_payload_and_type():
    for name, message in DOCUMENT["components"]["messages"].items():
        assert message["name"] == name
        assert message["contentType"] == "application/json"
        assert message["payload"]["$ref"]


def test_what_is_received_is_every_type_of_frame():
    received = DOCUMENT["operations"]["send"]
    assert received["action"] == "receive"
    types = {
        payload(message["$ref"].rsplit("/")[-1])["properties"]["type"]["const"]
        for message in received["messages"]
    }
    assert types == set(FRAME_TYPES) == TAKEN


def test_bounds_of_the_models_are_told():
    assert resolve("#/components/schemas/TextContent")["properties"]["text"]["maxLength"] == TEXT_MAX
    rating = resolve("#/components/schemas/FeedbackContent")["properties"]["rating"]["anyOf"][0]
    assert (rating["minimum"], rating["maximum"]) == (1, 5)


def test_answers_are_told_with_all_elements():
    schemas = DOCUMENT["components"]["schemas"]
    assert {
        "Button",
        "Resource",
        "Instruction",
        "Progress",
        "Recommendation",
        "OutgoingMessage",
    } <= schemas.keys()


def test_close_codes_are_told():
    for code in CloseCode:
        assert str(code.value) in DOCUMENT["info"]["description"]


@pytest.mark.parametrize("option", ["token", "typing", "since"])
def test_options_of_the_query_are_told(option):
    assert option in DOCUMENT["channels"]["chat"]["bindings"]["ws"]["query"]["properties"]
