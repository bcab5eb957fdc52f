"""Take the pictures of docs/screenshots: `python -m tests.journeys.screenshots`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.journeys.chat_page import ChatPage
from tests.journeys.conftest import FLAGS, chromium
from tests.journeys.served import CHECKOUT, Served, prepare_database

PICTURES = CHECKOUT / "docs" / "screenshots"
PHONE = {"width": 390, "height": 780}
DESKTOP = {"width": 1200, "height": 760}


def take(page: Page, name: str) -> None:
    page.wait_for_timeout(600)  # fades
    page.screenshot(path=PICTURES / f"{name}.png")


def enter(page: Page, url: str) -> ChatPage:
    return ChatPage(page, url).enter("ana", "ana-demo-pass")


def practise(conversation: ChatPage, words: str, exercise: str) -> None:
    conversation.ask(words)
    conversation.page.locator(f".choices:not(.past) [data-id={exercise}]").click()
    conversation.button("Begin").last.click()


def complete(conversation: ChatPage) -> None:
    before = conversation.page.locator(".progress-line").count()
    conversation.page.locator("[data-id$=_complete]").click()
    conversation.page.locator(".progress-line").nth(before).wait_for()


def chat(page: Page, url: str) -> None:
    conversation = enter(page, url)
    conversation.ask("It was a long day and I can't switch off")
    conversation.ask("I'm anxious about the exam tomorrow")
    take(page, "chat")


def exercise(page: Page, url: str) -> None:
    conversation = enter(page, url)
    practise(conversation, "My heart is racing, I'm so anxious", "ex_grounding")
    complete(conversation)
    practise(conversation, "Still anxious, but a little less", "ex_breathing")
    page.wait_for_timeout(2500)
    take(page, "exercise")
    complete(conversation)


def crisis(page: Page, url: str) -> None:
    enter(page, url).ask("I want to die")
    take(page, "crisis")


def admin(page: Page, url: str) -> None:
    page.goto(f"{url}/admin/therapy/progressmarker/")
    page.locator("#id_username").fill("ben")
    page.locator("#id_password").fill("ben-demo-pass")
    page.locator("[type=submit]").click()
    page.locator("#result_list").wait_for()
    take(page, "admin")


def take_all(browser: Browser, url: str) -> None:
    scenes = (
        (chat, DESKTOP, "light"),
        (exercise, PHONE, "dark"),
        (crisis, PHONE, "light"),
        (admin, DESKTOP, "light"),
    )
    for scene, viewport, scheme in scenes:
        context = browser.new_context(viewport=viewport, color_scheme=scheme, locale="en-US")
        scene(context.new_page(), url)
        context.close()


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        directory = Path(name)
        prepare_database(directory / "prepared.sqlite3", players=0)
        server = Served(directory, directory / "prepared.sqlite3")
        server.start()
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            take_all(browser, server.url)
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
