"""Journeys: the connection goes, and nothing else does."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from tests.journeys.chat_page import ChatPage
from tests.journeys.served import Served

pytestmark = pytest.mark.journey

AT = "2026-01-01T00:00:00Z"


def test_message_written_while_the_server_restarts_arrives_once(
    own_server: Served, new_page: Callable[..., Page], player: str, complaints: list[str]
) -> None:
    # given a conversation
    chat = ChatPage(new_page(), own_server.url).enter(player)
    chat.ask("Before it went dark")
    # when the server goes
    own_server.stop()
    # then the page says so, and what is written waits in sight
    expect(chat.banner).to_be_visible()
    expect(chat.banner).to_contain_text("what you write is kept")
    chat.say("While it was dark")
    expect(chat.unconfirmed.get_by_text("Waiting to be sent")).to_be_visible()
    # and when it is back, everything is there once, in order, and answered
    own_server.start()
    expect(chat.banner).to_be_hidden(timeout=20_000)
    expect(chat.answers).to_have_count(2)
    expect(chat.said).to_have_text(["Before it went dark", "While it was dark"])
    expect(chat.unconfirmed).to_have_count(0)
    stored = [message["content"]["text"] for message in chat.stored() if message["role"] == "user"]
    assert stored == ["Before it went dark", "While it was dark"]
    complaints.clear()  # the browser logs every failed attempt


def test_words_written_after_a_crash_survive_a_reload(
    own_server: Served, new_page: Callable[..., Page], player: str, complaints: list[str]
) -> None:
    # given a player whose messages wait, because the server is gone
    chat = ChatPage(new_page(), own_server.url).enter(player)
    own_server.stop(signal.SIGKILL)
    expect(chat.banner).to_be_visible()
    for text in ("one", "two", "three", "four"):
        chat.say(text)
    # when the page is loaded again as soon as there is one
    own_server.start()
    chat.page.reload()
    # then all of them arrive, in their order
    expect(chat.answers).to_have_count(4, timeout=20_000)
    expect(chat.said).to_have_text(["one", "two", "three", "four"])
    complaints.clear()  # as above


def test_more_messages_at_once_than_the_rate_limit_allows_all_arrive(chat: ChatPage) -> None:
    # given somebody who writes line after line; when they are more than a connection may send
    texts = [f"line {number}" for number in range(14)]
    for text in texts:
        chat.say(text)
    # then all arrives, in order, each once
    expect(chat.unconfirmed).to_have_count(0, timeout=20_000)
    expect(chat.said).to_have_text(texts)
    assert [m["content"]["text"] for m in chat.stored() if m["role"] == "user"] == texts


@pytest.mark.parametrize("reaches_server", [False, True], ids=["on_the_way_there", "on_the_way_back"])
def test_message_whose_confirmation_is_lost_arrives_once(chat: ChatPage, reaches_server: bool) -> None:
    # given a connection that breaks at the first message, before or after it reached the server
    connections: list[WebSocketRoute] = []

    def breaks_once(socket: WebSocketRoute) -> None:
        connections.append(socket)
        server = socket.connect_to_server()
        if len(connections) > 1:
            return

        def cut(text: str | bytes) -> None:
            if reaches_server:
                server.send(text)
            socket.close(code=1012)

        socket.on_message(cut)

    chat.page.route_web_socket("**/ws/chat*", breaks_once)
    chat.page.reload()
    chat.is_connected()
    # when the player writes
    chat.say("Did you get this?")
    # then it is there once, and answered once
    expect(chat.answers).to_have_count(1)
    expect(chat.unconfirmed).to_have_count(0)
    expect(chat.said).to_have_text(["Did you get this?"])
    assert [message["role"] for message in chat.stored()] == ["user", "assistant"]


def history_frame(seq: int) -> dict[str, Any]:
    content = {"text": f"message {seq}", "elements": []}
    return {
        "id": f"msg_{seq}",
        "role": "assistant",
        "timestamp": AT,
        "content": content,
        "metadata": {"seq": seq},
    }


def serve_history(route: Route) -> None:
    query = parse_qs(urlsplit(route.request.url).query)
    start, limit = int(query["after"][0]), int(query["limit"][0])
    seqs = range(start + 1, min(start + limit, 450) + 1)
    route.fulfill(json={"messages": [history_frame(seq) for seq in seqs]})


def replay_in_disorder(socket: WebSocketRoute) -> None:
    metadata = {"seq": 3, "resumed": True, "heartbeat_seconds": 25}
    content = {"text": "welcome", "elements": [], "event": "welcome"}
    socket.send(json.dumps({"role": "system", "content": content, "metadata": metadata}))
    for seq in (1, 1, 3, 2, 3):
        socket.send(json.dumps(history_frame(seq)))


def test_frames_that_come_twice_or_out_of_order_are_shown_once_and_in_order(chat: ChatPage) -> None:
    # given a connection that repeats and mixes up; when the page is opened
    chat.page.route_web_socket("**/ws/chat*", replay_in_disorder)
    chat.page.reload()
    # then each message stands once, in its place
    expect(chat.page.locator(".theirs .words")).to_have_text(["message 1", "message 2", "message 3"])


def welcome_without_replay(socket: WebSocketRoute) -> None:
    metadata = {"seq": 450, "resumed": False, "history_path": "/api/messages/", "heartbeat_seconds": 25}
    content = {"text": "welcome", "elements": [], "event": "welcome"}
    socket.send(json.dumps({"role": "system", "content": content, "metadata": metadata}))


def test_long_history_is_shown_from_its_end_and_can_be_walked_back(chat: ChatPage) -> None:
    # given a log that is too long to be replayed
    chat.page.route("**/api/messages/*", serve_history)
    chat.page.route_web_socket("**/ws/chat*", welcome_without_replay)
    # when the page is opened
    chat.page.reload()
    # then it shows the newest 200
    messages = chat.page.locator(".theirs .words")
    expect(messages).to_have_count(200)
    expect(messages.last).to_have_text("message 450")
    # and when the player asks for earlier ones, they come in above, down to the first
    for count in (400, 450):
        chat.button("Show earlier messages").click()
        expect(messages).to_have_count(count)
    expect(messages.first).to_have_text("message 1")
    expect(chat.button("Show earlier messages")).to_be_hidden()
