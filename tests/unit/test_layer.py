"""The layer of a single process."""

from __future__ import annotations

from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer

from chat import layer as chat_layer
from chat.layer import InProcessLayer

pytestmark = pytest.mark.asyncio


@pytest.fixture
def cleanings(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []
    monkeypatch.setattr(InMemoryChannelLayer, "_clean_expired", lambda layer: found.append(layer))
    return found


async def test_expired_messages_are_looked_for_once_a_second_not_for_every_message(
    cleanings: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(chat_layer.time, "monotonic", lambda: now)
    layer = InProcessLayer()
    for _ in range(5):
        await layer.group_send("player.one", {"type": "log.appended", "seq": 1})
    assert cleanings == [layer]
    now += 1.0
    await layer.group_send("player.one", {"type": "log.appended", "seq": 2})
    assert cleanings == [layer, layer]


async def test_what_is_sent_to_a_group_arrives_in_order() -> None:
    layer = InProcessLayer()
    channel = await layer.new_channel()
    await layer.group_add("player.one", channel)
    for seq in (1, 2):
        await layer.group_send("player.one", {"type": "log.appended", "seq": seq})
    assert [(await layer.receive(channel))["seq"] for _ in range(2)] == [1, 2]
