"""A real browser for tests: where it is, and pages that write down what goes wrong in them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, Route, sync_playwright

#: Names of a Chromium that is installed on the system; playwright's own is not downloaded.
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
)
#: Nothing but the page itself: no first steps, no updates, no services.
FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
#: What a page may load: itself and what it carries.
INSIDE = ("file:", "data:")


def path_of_browser() -> str:
    """Where Chromium is; without one tests are skipped, but in CI they fail."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return found
    reason = f"no browser: none of {', '.join(NAMES)} is installed"
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def running() -> Iterator[Browser]:
    """Chromium, without a window."""
    path = path_of_browser()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """A page that was opened, and everything that it complained about or asked for.

    Attributes
    ----------
    page : Page
    folder : Path
        Of the page.
    wrong : list of str
        What stood on the console, errors, and requests to anywhere outside.
    """

    def __init__(self, page: Page, path: Path) -> None:
        self.page, self.folder, self.wrong = page, path.parent, []
        page.on("console", lambda message: self.wrong.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("request", self._asked)
        page.context.route(lambda url: not url.startswith(INSIDE), self._refuse)
        page.goto(path.as_uri())

    def becomes_true(self, expression: str, argument: object = None) -> None:
        """Wait for it. Playwright's own waiting needs eval, which the reports forbid."""
        until = time.monotonic() + 10
        while not self.page.evaluate(expression, argument):
            assert time.monotonic() < until, f"never true: {expression} of {argument}"
            self.page.wait_for_timeout(10)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith(INSIDE):
            self.wrong.append(f"request: {request.url}")

    def _refuse(self, route: Route) -> None:
        route.abort()


@contextmanager
def visit(browser: Browser, path: Path, size: str = "desktop", script: bool = True) -> Iterator:
    """Open a page, on a screen of this size, with or without its script."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
        java_script_enabled=script,
    )
    context.set_default_timeout(10_000)
    try:
        yield Visit(context.new_page(), path)
    finally:
        context.close()
