"""A lab without a cluster: the first test makes one, the last one removes it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.helpers.own_lab import lab_of_its_own
from tests.lab.support import NAME, Lab

SIZE = ("-e", "managers=3", "-e", "workers=1")


@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    """A lab of its own: nothing is in it."""
    with lab_of_its_own(f"{NAME}-ha") as running:
        yield running
