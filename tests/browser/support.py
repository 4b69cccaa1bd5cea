"""The browser, what is read from the page, and what must never happen on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request, expect

NAMES = ("chromium", "chromium-browser", "google-chrome")

BOXES = """() => [...document.querySelectorAll('svg.swarm .task')].map(box => ({
  id: box.dataset.id, state: box.classList[1], label: box.getAttribute('aria-label'),
  left: box.getBoundingClientRect().left, top: box.getBoundingClientRect().top}))"""


@contextmanager
def launched(tool: Playwright) -> Iterator[Browser]:
    """The system's Chromium, driven by Playwright."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found, "no Chromium on this machine: make browser, or apt-get install chromium"
    # A container's root has no user namespaces to make the sandbox with; and a process for graphics
    # that has no card stalls on a busy machine.
    browser = tool.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def opened(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    """The page in a window of its own; fails on script errors and on requests to elsewhere."""
    context = browser.new_context(**options)
    page = context.new_page()
    faults: list[str] = []
    origin = url.partition("#")[0]

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and "Content Security Policy" in message.text:
            faults.append(message.text)

    def asked(request: Request) -> None:
        if not request.url.startswith(origin):
            faults.append(f"a request to {request.url}")

    page.on("pageerror", lambda fault: faults.append(str(fault)))
    page.on("console", heard)
    page.on("request", asked)
    try:
        page.goto(url)
        drawn = page.locator("svg.swarm .task, svg.chart, table, .problem, svg.swarm .node")
        expect(drawn.first, f"script errors: {faults}").to_be_visible(timeout=30_000)
        yield page
    finally:
        context.close()
    assert faults == []


def boxes(page: Page, state: str = "") -> list[dict[str, Any]]:
    """The tasks that are drawn, of one state or of all."""
    found: list[dict[str, Any]] = page.evaluate(BOXES)
    return [box for box in found if not state or box["state"] == state]


def settled(page: Page) -> None:
    """Every movement is over."""
    page.wait_for_function(
        "() => document.getAnimations().every(a => !(a instanceof CSSTransition))"
    )
