"""A browser, a served product, and a fresh player for each journey."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.journeys.chat_page import ChatPage
from tests.journeys.people import PLAYERS
from tests.journeys.served import Served, prepare_database

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-background-networking"]
DESKTOP = {"width": 1100, "height": 760}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "journey: in a real browser against a served process")


def chromium() -> str | None:
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


# Of the package, not of the session: while it runs, this thread has a running event loop,
# which asynchronous tests after the journeys could not bear.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        sentence = "no chromium on this machine: install it, or name one in CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("journeys") / "prepared.sqlite3"
    prepare_database(database, players=len(PLAYERS))
    return database


@pytest.fixture(scope="package")
def served(browser: Browser, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for the journeys that do not touch it."""
    server = Served(tmp_path_factory.mktemp("served"), prepared)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="package")
def own_server(
    browser: Browser, prepared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A server that a journey may stop, and starts again."""
    server = Served(tmp_path_factory.mktemp("restarted"), prepared)
    server.start()
    yield server
    server.stop(signal.SIGKILL)


@pytest.fixture(scope="package")
def _players() -> Iterator[str]:
    return iter(PLAYERS)


@pytest.fixture
def player(_players: Iterator[str]) -> str:
    """The name of a player whom no other journey has met."""
    return next(_players)


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained of; a journey that cuts the connection clears it at its end."""
    return []


def _complaint(entry: ConsoleMessage) -> list[str]:
    # The admin site has no icon, and browsers ask for one.
    address = entry.location.get("url", "")
    is_harmless = entry.type != "error" or address.endswith("/favicon.ico")
    return [] if is_harmless else [f"{entry.text} ({address})"]


@pytest.fixture
def new_page(browser: Browser, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """Open a page in a context of its own, as on another device. Errors and CSP violations fail the journey."""
    contexts: list[BrowserContext] = []

    def new_page(**options: Any) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-US"} | options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda entry: complaints.extend(_complaint(entry)))
        return page

    yield new_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def chat(served: Served, new_page: Callable[..., Page], player: str) -> ChatPage:
    """The page of a fresh player, logged in."""
    return ChatPage(new_page(), served.url).enter(player)
