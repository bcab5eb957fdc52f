"""Journeys: help at once, and help that needs no connection."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.chat_page import ChatPage
from tests.journeys.served import Served

pytestmark = pytest.mark.journey


def links(page: Page, where: str) -> list[str]:
    found: list[str] = page.locator(f"{where} a.resource").evaluate_all(
        "(nodes) => nodes.map((node) => node.getAttribute('href'))"
    )
    return found


def test_somebody_who_wants_to_die_sees_whom_to_call(chat: ChatPage) -> None:
    # given a player; when she writes that she wants to die
    answer = chat.ask("I want to die")
    # then the answer holds lines that a tap calls or texts, the emergency number first
    card = links(chat.page, ".crisis")
    assert card[0] == "tel:911"
    assert {"tel:988", "sms:988"} <= set(card)
    expect(answer.locator(".words")).to_contain_text("988")
    # and nobody asks her to rate it
    expect(chat.button("Was this helpful?")).to_have_count(0)
    # and help stays in sight while the conversation goes on
    chat.ask("I don't know any more")
    expect(chat.page.get_by_role("region", name="Help, right now")).to_be_visible()
    assert "tel:988" in links(chat.page, "#pinned")


def test_tap_targets_of_the_helplines_are_large(
    served: Served, new_page: Callable[..., Page], player: str
) -> None:
    # given a phone; when a crisis is answered
    chat = ChatPage(new_page(viewport={"width": 360, "height": 740}), served.url).enter(player)
    chat.ask("I want to die")
    # then every line is easy to hit
    heights = chat.page.locator("a.resource").evaluate_all(
        "(nodes) => nodes.filter((node) => node.offsetParent).map((node) => node.offsetHeight)"
    )
    assert min(heights) >= 44


def test_help_opens_before_logging_in_and_without_a_connection(
    served: Served, new_page: Callable[..., Page], complaints: list[str]
) -> None:
    # given somebody who is not logged in, and has lost the connection
    page = new_page()
    page.goto(served.url)
    page.context.set_offline(True)
    # when they ask for help
    page.get_by_role("button", name="Get help now").click()
    # then the lines are there, and the focus is not on a number
    assert {"tel:911", "tel:988", "https://findahelpline.com/"} <= set(links(page, "#help"))
    expect(page.locator("#help .cross")).to_be_focused()
    complaints.clear()  # the browser may miss its icon


def test_help_offline_is_that_of_the_players_country(chat: ChatPage) -> None:
    # given a player in Britain to whom the server has named helplines
    chat.button("Menu").click()
    chat.page.get_by_label("Country").select_option("GB")
    chat.button("Save").click()
    expect(chat.page.locator("#settings output")).to_have_text("Saved.")
    chat.page.keyboard.press("Escape")
    chat.ask("I want to die")
    # when the connection is lost
    chat.page.context.set_offline(True)
    chat.button("Get help now").first.click()
    # then the panel still shows these
    assert {"tel:999", "tel:116123"} <= set(links(chat.page, "#help"))


def test_pinned_help_can_be_put_away_and_stays_so_after_a_reload(chat: ChatPage) -> None:
    # given pinned help
    chat.ask("I want to die")
    pinned = chat.page.get_by_role("region", name="Help, right now")
    expect(pinned).to_be_visible()
    # when the player hides it and loads the page again
    chat.button("Hide").click()
    chat.page.reload()
    chat.is_connected()
    # then it is not put before her again, while the lines stay in the conversation
    expect(pinned).to_be_hidden()
    expect(chat.page.locator(".crisis a.resource").first).to_be_visible()
