"""Journeys: with axe, and with nothing but a keyboard."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.journeys.chat_page import ChatPage
from tests.journeys.served import Served

pytestmark = pytest.mark.journey


def barriers(page: Page) -> list[str]:
    """The serious and critical violations that axe finds, after every fade has ended."""
    page.evaluate(
        "Promise.all(document.getAnimations().map((one) => one.effect.getTiming().iterations === 1 && one.finished))"
    )
    violations = Axe().run(page).response["violations"]
    return [
        f"{found['id']}: {found['nodes'][0]['html']}"
        for found in violations
        if found["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_has_barriers(
    served: Served, new_page: Callable[..., Page], player: str, scheme: str
) -> None:
    # given the page in one of its two colour schemes
    chat = ChatPage(new_page(color_scheme=scheme, reduced_motion="reduce"), served.url)
    chat.open()
    found = {"login": barriers(chat.page)}
    # when a player walks through its views
    chat.log_in(player)
    chat.is_connected()
    chat.ask("I'm anxious about tomorrow")
    found["chat"] = barriers(chat.page)
    chat.page.locator("[data-id=ex_breathing]").click()
    chat.button("Begin").click()
    found["exercise"] = barriers(chat.page)
    chat.button("Was this helpful?").click()
    found["feedback"] = barriers(chat.page)
    chat.button("Cancel").click()
    chat.button("Menu").click()
    found["menu"] = barriers(chat.page)
    chat.page.keyboard.press("Escape")
    chat.ask("I want to die")
    found["crisis"] = barriers(chat.page)
    chat.button("Get help now").click()
    found["help"] = barriers(chat.page)
    # then none holds anybody up
    assert {view: what for view, what in found.items() if what} == {}


def test_everything_can_be_done_with_the_keyboard_alone(
    served: Served, new_page: Callable[..., Page], player: str
) -> None:
    page = new_page()
    keys = page.keyboard

    def tab_to(name: str) -> None:
        for _ in range(40):
            focused = page.evaluate(
                "(document.activeElement.ariaLabel ?? document.activeElement.textContent).trim()"
            )
            if focused == name:
                return
            keys.press("Tab")
        raise AssertionError(f"Tab never reached {name!r}")

    # given the login, with the focus in its first field
    page.goto(served.url)
    expect(page.get_by_label("User name")).to_be_focused()
    chat = ChatPage(page, served.url)
    # when somebody logs in, writes and starts an exercise without a pointer
    keys.type(player)
    keys.press("Tab")
    keys.type("a-quiet-walk-by-the-river")
    keys.press("Enter")
    chat.is_connected()
    expect(chat.field).to_be_focused()
    keys.type("I'm anxious about tomorrow")
    keys.press("Enter")
    expect(page.locator("[data-id=ex_breathing]")).to_be_visible()
    page.locator("#scroller").focus()
    tab_to("Try 4-7-8 breathing")
    keys.press("Enter")
    expect(chat.button("Begin")).to_be_visible()
    # then the focus was not lost, and goes on into the exercise
    assert page.evaluate("document.activeElement !== document.body")
    tab_to("Begin")
    keys.press("Enter")
    expect(chat.button("Pause")).to_be_focused()
    keys.press("Enter")
    expect(chat.button("Continue")).to_be_focused()
    tab_to("I have done it")
    keys.press("Enter")
    expect(page.locator(".progress-line")).to_be_visible()
    assert page.evaluate("document.activeElement !== document.body")
    # and a dialog gives the focus back to where it was opened
    page.locator("#scroller").focus()
    keys.press("Shift+Tab")
    expect(chat.button("Menu")).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    keys.press("Escape")
    expect(chat.button("Menu")).to_be_focused()


def test_focus_can_be_seen(served: Served, new_page: Callable[..., Page]) -> None:
    # given the login; when the keyboard moves on; then what has the focus is outlined
    page = new_page()
    page.goto(served.url)
    expect(page.get_by_label("User name")).to_be_focused()
    for key in ("Tab", "Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab"):
        page.keyboard.press(key)
        outline = page.evaluate("getComputedStyle(document.activeElement).outline")
        assert "solid 3px" in outline


def test_screen_reader_hears_news_but_not_the_replay(chat: ChatPage) -> None:
    # given a conversation
    chat.ask("Good evening")
    history = chat.page.locator("#messages")
    assert (history.get_attribute("role"), history.get_attribute("aria-live")) == ("log", "polite")
    # when the page is loaded again, with the replay held back
    chat.page.route_web_socket("**/ws/chat*", lambda socket: None)
    chat.page.reload()
    # then nothing is read out until it has caught up
    expect(chat.page.locator("#messages[aria-live=off]")).to_be_attached()
