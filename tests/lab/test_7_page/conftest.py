"""The same browser as of the page's other tests."""

from __future__ import annotations

from tests.browser.conftest import browser

__all__ = ["browser"]
