"""Journeys: from a button to a marker that the clinician finds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.chat_page import ChatPage
from tests.journeys.served import Served
from therapy.exercises.catalogue import CATALOGUE

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


def start_elsewhere(chat: ChatPage, slug: str) -> None:
    """Start an exercise on the player's other device; this one shows it as it arrives."""
    chat.page.evaluate(
        """(slug) => new Promise((resolve, reject) => {
            const { access } = JSON.parse(sessionStorage.getItem("chat.session"));
            const socket = new WebSocket(location.origin.replace("http", "ws") + "/ws/chat", ["chat.v1", `bearer.${access}`]);
            const frame = { type: "interaction", content: { action: "button_click", id: `ex_${slug}` } };
            socket.onmessage = ({ data }) => {
                const { role, content } = JSON.parse(data);
                if (content.event === "welcome") socket.send(JSON.stringify(frame));
                if (role === "interactive") { socket.close(); resolve(); }
                if (content.event === "error") reject(content.text);
            };
        })""",
        slug,
    )
    expect(chat.page.locator(f".exercise-choices [data-id=ex_{slug}_complete]")).to_be_visible()


def press(chat: ChatPage, button: Locator) -> Locator:
    """Press and wait for the answer."""
    before = chat.answers.count()
    button.click()
    answer = chat.answers.nth(before)
    expect(answer).to_be_visible()
    return answer


def walk(chat: ChatPage, slug: str, words: str) -> int:
    """Go through an exercise step by step, writing where it asks for words. Returns how many steps there were."""
    live = chat.page.locator(f".exercise-choices [data-id^=ex_{slug}_]")
    step_by_step = chat.button("Step by step")
    if step_by_step.count():
        press(chat, step_by_step)
    steps = 0
    while True:
        steps += 1
        card = chat.page.locator(".exercise").last
        complete = chat.page.locator(f"[data-id=ex_{slug}_complete]:enabled")
        if card.get_by_text("Write your answer as a message").count():
            chat.ask(words)
        elif complete.count():
            press(chat, complete.last)
            return steps
        else:
            press(chat, live.and_(chat.page.locator("[data-id$=_next]")))
        complete = chat.page.locator(f".choices:not(.exercise-choices) [data-id=ex_{slug}_complete]:enabled")
        if complete.count():  # the last words were written
            press(chat, complete)
            return steps


def test_every_exercise_can_be_gone_through(
    served: Served, new_page: Callable[..., Page], player: str
) -> None:
    chat = ChatPage(new_page(reduced_motion="reduce"), served.url).enter(player)
    for slug in sorted(CATALOGUE):
        # given an exercise that was begun
        title = CATALOGUE[slug].localized("en").title
        start_elsewhere(chat, slug)
        expect(chat.page.locator(".exercise-title").last).to_contain_text(title)
        # when the player goes through all of it
        steps = walk(chat, slug, f"what I wrote for {slug}")
        # then it is noted, and what comes after it can be answered
        expect(chat.page.locator(".progress-line").last).to_contain_text(title)
        assert chat.page.locator(".exercise-choices").count() == 0, slug
        moods = chat.page.locator(f"[data-id=ex_{slug}_after_7]")
        assert moods.count() == (1 if CATALOGUE[slug].rates_mood and steps > 1 else 0), slug
        if moods.count():
            expect(press(chat, moods)).to_contain_text("Noted: 7 of 10")


def test_own_safety_plan_is_read_before_everything_else_in_danger(
    served: Served, new_page: Callable[..., Page], player: str
) -> None:
    # given a player who wrote a safety plan
    chat = ChatPage(new_page(reduced_motion="reduce"), served.url).enter(player)
    start_elsewhere(chat, "safety_plan")
    walk(chat, "safety_plan", "call my sister Maria and sit in the garden")
    expect(chat.page.locator(".progress-line")).to_be_visible()
    # when she is in danger
    answer = chat.ask("I want to kill myself tonight")
    # then her own words come first, then who can help, and the exercises below can be chosen
    expect(answer.locator(".plan")).to_contain_text("call my sister Maria and sit in the garden")
    order = answer.locator(".plan, .resources, .choices").evaluate_all("all => all.map(e => e.className)")
    assert [name.split()[-1] for name in order] == ["plan", "resources", "choices"]
    assert answer.locator(".plan button, .plan input").count() == 0
    expect(answer.locator("[data-id=ex_grounding]")).to_be_enabled()
