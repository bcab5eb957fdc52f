"""Journeys: from a button to a marker that the clinician finds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.chat_page import ChatPage
from tests.journeys.served import Served

pytestmark = pytest.mark.journey


def begin_breathing(chat: ChatPage) -> None:
    chat.ask("I'm anxious about tomorrow")
    chat.page.locator("[data-id=ex_breathing]").click()
    expect(chat.button("Begin")).to_be_visible()


def test_finished_exercise_is_found_by_the_clinician(
    served: Served, new_page: Callable[..., Page], chat: ChatPage, player: str
) -> None:
    # given a player who began the breathing
    begin_breathing(chat)
    chat.button("Begin").click()
    # when she says that she has done it
    chat.page.locator("[data-id=ex_breathing_complete]").click()
    # then her progress is noted, in the conversation and in her own space
    noted = chat.page.locator(".progress-line")
    expect(noted).to_contain_text("4-7-8 breathing")
    chat.button("Menu").click()
    expect(chat.page.locator(".markers")).to_contain_text("4-7-8 breathing")
    # and the demo clinician finds it in the admin site
    admin = new_page()
    admin.goto(f"{served.url}/admin/therapy/progressmarker/")
    admin.locator("#id_username").fill("ben")
    admin.locator("#id_password").fill("ben-demo-pass")
    admin.locator("[type=submit]").click()
    row = admin.locator("#result_list tbody tr", has_text=player)
    expect(row).to_have_count(1)
    expect(row).to_contain_text("4-7-8 breathing")


def test_breathing_shows_its_pace(chat: ChatPage) -> None:
    # given a breathing exercise
    begin_breathing(chat)
    size = "document.querySelector('.orb').getBoundingClientRect().width"
    at_rest = chat.page.evaluate(size)
    # when it begins
    chat.button("Begin").click()
    # then words and countdown tell what to do, and the circle grows
    expect(chat.page.locator(".pace-words")).to_have_text("Breathe in quietly through your nose.")
    expect(chat.page.locator(".pace-round")).to_have_text("Round 1 of 4")
    expect(chat.page.locator(".orb-count")).to_have_text("3")
    expect(chat.page.locator(".orb-count")).to_have_text("2")
    assert chat.page.evaluate(size) > at_rest
    # and when it is paused, both stand still
    chat.button("Pause").click()
    chat.page.wait_for_timeout(100)
    paused_at = chat.page.evaluate(size)
    chat.page.wait_for_timeout(400)
    assert chat.page.evaluate(size) == paused_at
    # and stopping it is fine
    chat.button("Stop").click()
    expect(chat.page.locator(".pace-words")).to_contain_text("begin again whenever you like")


def test_less_motion_means_no_moving_circle(
    served: Served, new_page: Callable[..., Page], player: str
) -> None:
    # given somebody whose system asks for less motion
    chat = ChatPage(new_page(reduced_motion="reduce"), served.url).enter(player)
    begin_breathing(chat)
    # when the exercise runs
    chat.button("Begin").click()
    expect(chat.page.locator(".orb-count")).to_have_text("3")
    # then it is told and counted, but nothing is animated
    assert chat.page.evaluate("document.getAnimations().length") == 0


def test_grounding_lists_its_steps(chat: ChatPage) -> None:
    # given a stressed player; when she chooses grounding
    chat.ask("I'm anxious about tomorrow")
    chat.page.locator("[data-id=ex_grounding]").click()
    # then she sees all five steps at once, and begins with the first
    expect(chat.page.locator(".exercise .steps li")).to_have_count(5)
    chat.button("Begin").click()
    expect(chat.page.locator(".steps [aria-current=step]")).to_contain_text("five things you can see")
    chat.button("Next step").click()
    expect(chat.page.locator(".steps [aria-current=step]")).to_contain_text("four things")


def test_feedback_changes_what_is_suggested(chat: ChatPage) -> None:
    # given a finished exercise
    begin_breathing(chat)
    chat.page.locator("[data-id=ex_breathing_complete]").click()
    expect(chat.page.locator(".progress-line")).to_be_visible()
    # when the player rates it
    chat.button("Was this helpful?").click()
    chat.page.get_by_label("5", exact=True).check()
    chat.page.get_by_label("Anything to add?").fill("slower would be better")
    chat.button("Send feedback").click()
    # then it is confirmed and exercises are recommended, each with its reason
    expect(chat.page.get_by_text("Feedback processed")).to_be_visible()
    expect(chat.page.locator(".recommendations .reason").first).not_to_be_empty()
    rated = next(m["content"] for m in chat.stored() if m["content"].get("event") == "feedback")
    assert (rated["rating"], rated["text"]) == (5, "slower would be better")
