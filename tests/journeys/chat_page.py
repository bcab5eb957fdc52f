"""The player's page as a journey reads it: what somebody does, and what they see."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.journeys.people import PASSWORD


class ChatPage:
    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    def open(self) -> None:
        self.page.goto(self.url)

    def log_in(self, name: str, password: str = PASSWORD) -> None:
        self.page.get_by_label("User name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()

    def enter(self, name: str, password: str = PASSWORD) -> ChatPage:
        """Open the page, log in, and wait until the conversation stands."""
        self.open()
        self.log_in(name, password)
        self.is_connected()
        return self

    def is_connected(self) -> None:
        expect(self.page.locator("body[data-connection=online]")).to_be_attached(timeout=20_000)
        expect(self.page.locator("#messages[aria-live=polite]")).to_be_attached()

    @property
    def field(self) -> Locator:
        return self.page.get_by_label("Your message")

    def say(self, text: str) -> None:
        self.field.fill(text)
        self.field.press("Enter")

    def ask(self, text: str) -> Locator:
        """Say something and wait for the answer to it."""
        before = self.answers.count()
        self.say(text)
        answer = self.answers.nth(before)
        expect(answer).to_be_visible()
        return answer

    @property
    def said(self) -> Locator:
        """What the player sees of their own words."""
        return self.page.locator(".own:not(.act) .words")

    @property
    def unconfirmed(self) -> Locator:
        return self.page.locator(".own[data-state]")

    @property
    def answers(self) -> Locator:
        return self.page.locator(".theirs")

    @property
    def banner(self) -> Locator:
        return self.page.locator("#banner")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def everything(self) -> list[str]:
        """All words of the conversation in order."""
        return self.page.locator("#messages .words").all_inner_texts()

    def stored(self) -> list[dict[str, Any]]:
        """The player's log as the server holds it."""
        found: dict[str, Any] = self.page.evaluate(
            """async () => {
                const { access } = JSON.parse(sessionStorage.getItem("chat.session"));
                const answer = await fetch("/api/messages/?after=0", { headers: { Authorization: `Bearer ${access}` } });
                return answer.json();
            }"""
        )
        return list(found["messages"])
