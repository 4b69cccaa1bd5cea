"""A lab of its own, in which nobody but users with the policies of docs/iam works."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.lab.helpers.own_lab import lab_of_its_own
from tests.lab.support import CLUSTER, NAME, Lab
from tests.unit.iam.filled import make_user


@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    """The lab, with the key that may do everything."""
    with lab_of_its_own(f"{NAME}-iam") as running:
        yield running


def as_user(lab: Lab, name: str, *policies: str) -> Lab:
    """The same lab with the key of a user who has these policies; ``ec2`` stays the operator's."""
    key = make_user(lab.client("iam"), name, lab.env["AWS_REGION"], CLUSTER, *policies)
    return replace(lab, env=lab.env | key)


@pytest.fixture(scope="package")
def builder(lab: Lab) -> Lab:
    """Who runs the playbooks."""
    return as_user(lab, "builder", "read", "provision", "options")


@pytest.fixture(scope="package")
def tester(lab: Lab) -> Lab:
    """Who makes experiments."""
    return as_user(lab, "tester", "read", "chaos")


@pytest.fixture(scope="package")
def reader(lab: Lab) -> Lab:
    """Who looks."""
    return as_user(lab, "reader", "read")
