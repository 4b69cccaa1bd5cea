"""A lab without a cluster, for playbooks that are killed or only checked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.helpers.own_lab import lab_of_its_own
from tests.lab.support import NAME, Lab

SIZE = ("-e", "managers=3", "-e", "workers=1")
STACKS = ("-e", '{"stacks": [{"name": "three_tier", "secrets": ["three_tier_db_password"]}]}')


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab of its own: nothing is in it."""
    with lab_of_its_own(f"{NAME}-ha") as running:
        yield running
