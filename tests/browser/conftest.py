"""One browser for all tests, and the page over the Swarm of the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.support import launched
from tests.unit.web.simulated import Simulated, served


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser of this machine; ``make browser`` installs one."""
    with sync_playwright() as tool, launched(tool) as found:
        yield found


@pytest.fixture
def url(source: Simulated, tmp_path: Path) -> Iterator[str]:
    """Where the page of the test's ``source`` is."""
    with served(source, tmp_path) as found:
        yield found
