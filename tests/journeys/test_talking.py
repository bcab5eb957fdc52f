"""Journeys: logging in, talking, coming back, leaving."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.chat_page import ChatPage
from tests.journeys.served import Served

pytestmark = pytest.mark.journey


def test_anxious_player_gets_an_answer_and_two_exercises(
    served: Served, new_page: Callable[..., Page], player: str
) -> None:
    # given a player who opens the page and logs in
    chat = ChatPage(new_page(), served.url).enter(player)
    expect(chat.page.get_by_text("Connected to therapeutic chat. You're safe here.")).to_be_visible()
    # when she says what is on her mind
    answer = chat.ask("I'm anxious about tomorrow")
    # then she is answered, with two exercises to choose from
    expect(answer.locator(".words")).not_to_be_empty()
    expect(answer.get_by_role("button", name="breathing")).to_be_visible()
    expect(answer.get_by_role("button", name="grounding")).to_be_visible()
    expect(chat.unconfirmed).to_have_count(0)


def test_wrong_password_is_told_kindly_and_keeps_the_name(
    served: Served, new_page: Callable[..., Page], player: str, complaints: list[str]
) -> None:
    # given the login
    chat = ChatPage(new_page(), served.url)
    chat.open()
    # when the password is wrong
    chat.log_in(player, "not this one")
    # then the page says so, and the name need not be typed again
    expect(chat.page.get_by_role("alert")).to_have_text(
        "That name and password don’t fit together. Please try again."
    )
    expect(chat.page.get_by_label("User name")).to_have_value(player)
    complaints.clear()  # the browser logs every 401


def test_conversation_is_there_after_a_reload_with_the_half_written_line(chat: ChatPage) -> None:
    # given a conversation and a line that was begun
    chat.ask("My sister moved away last week")
    before = chat.everything()
    chat.field.fill("And since then I")
    # when the page is loaded again
    chat.page.reload()
    chat.is_connected()
    # then all is there, once and in order
    expect(chat.said).to_have_text(["My sister moved away last week"])
    assert chat.everything() == before
    expect(chat.field).to_have_value("And since then I")


def test_both_devices_show_the_same(
    served: Served, new_page: Callable[..., Page], chat: ChatPage, player: str
) -> None:
    # given the same player on two devices
    phone = ChatPage(new_page(viewport={"width": 360, "height": 740}), served.url).enter(player)
    # when she writes on both
    chat.ask("I could not sleep")
    expect(phone.said).to_have_count(1)
    phone.ask("It was loud outside")
    expect(chat.said).to_have_count(2)
    # then both show the same words in the same order
    expect(chat.answers).to_have_count(2)
    expect(phone.answers).to_have_count(2)
    assert chat.everything() == phone.everything()


def test_shift_and_enter_makes_a_new_line(chat: ChatPage) -> None:
    # given a first line
    chat.field.fill("first")
    # when the player goes to a new line and then sends
    chat.field.press("Shift+Enter")
    chat.field.press_sequentially("second")
    chat.field.press("Enter")
    # then it was one message of two lines
    expect(chat.said).to_have_text(["first\nsecond"])
    expect(chat.answers).to_have_count(1)


def test_markup_is_shown_as_it_was_written(chat: ChatPage) -> None:
    # given somebody who writes markup; when it is sent; then it is words, not markup
    chat.ask("<img src=x onerror=alert(1)> <b>bold</b>")
    expect(chat.said).to_have_text(["<img src=x onerror=alert(1)> <b>bold</b>"])
    assert chat.page.locator("#messages img, #messages b").count() == 0


def test_nothing_fits_sideways_scrolling_at_320_pixels(
    served: Served, new_page: Callable[..., Page], player: str
) -> None:
    # given the narrowest phone
    chat = ChatPage(new_page(viewport={"width": 320, "height": 568}), served.url).enter(player)
    # when a conversation with choices, an exercise and a very long word is on it
    chat.ask("I'm anxious about my Donaudampfschifffahrtsgesellschaftskapitänsprüfung" * 2)
    chat.page.locator("[data-id=ex_breathing]").click()
    expect(chat.button("Begin")).to_be_visible()
    # then nothing is wider than the screen
    widths = chat.page.evaluate(
        "[document.documentElement, document.getElementById('scroller')].map((node) => node.scrollWidth)"
    )
    assert max(widths) <= 320


def test_settings_are_kept_and_known_on_another_device(
    served: Served, new_page: Callable[..., Page], chat: ChatPage, player: str
) -> None:
    # given a player who chooses gentle exercises and Spanish
    chat.button("Menu").click()
    chat.page.get_by_label("Gentle").check()
    chat.page.get_by_label("Language").select_option("es")
    chat.button("Save").click()
    # then the page confirms it in Spanish
    expect(chat.page.locator("#settings output")).to_have_text("Guardado.")
    # when she comes back on another device
    other = ChatPage(new_page(), served.url).enter(player)
    # then it speaks Spanish too, and knows what she chose
    other.button("Menú").click()
    expect(other.page.get_by_label("Suaves")).to_be_checked()


def test_logging_out_leaves_nothing_on_the_device(chat: ChatPage) -> None:
    # given a conversation, and a line that was begun
    chat.ask("This is only for here")
    chat.field.fill("unsent thought")
    # when the player logs out
    chat.button("Menu").click()
    chat.button("Log out").click()
    # then the login is back, and neither page nor storage holds a word or a token
    expect(chat.button("Log in")).to_be_visible()
    assert chat.page.evaluate("JSON.stringify(sessionStorage)") == "{}"
    assert "only for here" not in chat.page.content()
    expect(chat.page.locator("#words")).to_have_value("")
