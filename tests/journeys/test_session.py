"""Journeys: a token ends, the conversation goes on; a session ends, the player is asked back in."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.journeys.chat_page import ChatPage
from tests.journeys.served import Served

pytestmark = pytest.mark.journey

END_SESSION = """() => {
    const session = JSON.parse(sessionStorage.getItem("chat.session"));
    sessionStorage.setItem("chat.session", JSON.stringify({ ...session, until: 0, refresh: "ended" }));
}"""


def system_frame(event: str, **metadata: Any) -> str:
    content = {"text": "", "elements": [], "event": event}
    return json.dumps({"id": f"msg_{event}", "role": "system", "content": content, "metadata": metadata})


def welcome() -> str:
    return system_frame("welcome", protocol="chat.v1", seq=0, resumed=True, heartbeat_seconds=25)


def test_token_that_expires_is_renewed_on_the_live_connection(chat: ChatPage) -> None:
    # given a connection whose token is about to end
    heard: list[dict[str, Any]] = []

    def announce(socket: WebSocketRoute) -> None:
        socket.on_message(lambda text: heard.append(json.loads(text)))
        socket.send(welcome())
        socket.send(system_frame("token_expiring"))

    chat.page.route_web_socket("**/ws/chat*", announce)
    before = chat.page.evaluate("JSON.parse(sessionStorage.getItem('chat.session')).access")
    # when the server says so
    chat.page.reload()
    chat.is_connected()
    # then the page hands in a new one, and stays where it is
    expect(chat.page.locator("body[data-connection=online]")).to_be_attached()
    chat.page.wait_for_function(
        "(before) => !sessionStorage.getItem('chat.session').includes(before)", arg=before
    )
    chat.page.wait_for_timeout(100)
    (authenticate,) = [frame for frame in heard if frame["type"] == "authenticate"]
    assert authenticate["content"]["token"] not in ("", before)


def test_connection_closed_for_its_token_comes_back_with_a_new_one(chat: ChatPage) -> None:
    # given a server that ends the first connection because of its token
    connections: list[WebSocketRoute] = []

    def end_the_first(socket: WebSocketRoute) -> None:
        connections.append(socket)
        if len(connections) == 1:
            socket.close(code=1008, reason="token_expired")
        else:
            socket.send(welcome())

    chat.page.route_web_socket("**/ws/chat*", end_the_first)
    # when the page is opened
    with chat.page.expect_request("**/api/token/refresh/"):
        chat.page.reload()
    # then it got another token and is back, without a login
    chat.is_connected()
    assert len(connections) == 2


def test_logging_out_elsewhere_asks_for_the_login_and_keeps_what_was_begun(
    served: Served, new_page: Callable[..., Page], chat: ChatPage, player: str, complaints: list[str]
) -> None:
    # given a player on two devices, with a line begun on one
    phone = ChatPage(new_page(), served.url).enter(player)
    chat.field.fill("half a thought")
    # when she logs out on the other
    phone.button("Menu").click()
    phone.button("Log out").click()
    # then this one asks for the login
    expect(chat.page.get_by_text("Please log in again. What you wrote is kept.")).to_be_visible()
    # and after it the line is still there
    chat.log_in(player)
    chat.is_connected()
    expect(chat.field).to_have_value("half a thought")
    complaints.clear()  # the browser logs the refused refresh


def test_somebody_else_finds_nothing_of_the_player_before(chat: ChatPage, complaints: list[str]) -> None:
    # given a session that ended, with a line begun
    chat.field.fill("only mine")
    chat.page.evaluate(END_SESSION)
    chat.page.reload()
    expect(chat.button("Log in")).to_be_visible()
    # when another player logs in on this device
    chat.log_in("ana", "ana-demo-pass")
    chat.is_connected()
    # then there is no trace of it
    expect(chat.field).to_have_value("")
    assert "only mine" not in chat.page.evaluate("JSON.stringify(sessionStorage)")
    complaints.clear()  # as above
