"""One browser for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.support import launched


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser of this machine; ``make browser`` installs one."""
    with sync_playwright() as tool, launched(tool) as found:
        yield found
