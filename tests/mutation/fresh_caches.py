"""A pytest plugin: no test finds what an earlier one left in a function's cache.

A mutant's process is forked after a run of all tests: without this, a cached result of the real
code would hide what the mutant does.
"""

from __future__ import annotations

import functools
import gc


def pytest_runtest_setup() -> None:
    """Empty the caches of the product's functions."""
    for found in gc.get_objects():
        if isinstance(found, functools._lru_cache_wrapper) and (
            getattr(found, "__module__", "") or ""
        ).startswith("swarmctl."):
            found.cache_clear()
