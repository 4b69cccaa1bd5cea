"""One lab and one Swarm for all lab tests: real machines, real playbook runs, real kills.

The tests share the Swarm and leave it as they found it, so any of them can be run alone:
``pytest tests/lab -k ssh``. They need an Engine and nothing else; the lab is their own (``test``)
and is removed at the end.
"""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.lab.helpers.own_lab import lab_of_its_own
from tests.lab.support import NAME, Cluster, Lab, Playbook


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The tests' own lab, removed before and after them."""
    with lab_of_its_own(NAME) as running:
        yield running


@pytest.fixture(scope="session")
def cluster(lab: Lab) -> Cluster:
    """One manager and three workers with the three-tier stack, as ``site.yml`` makes them."""
    check = lab.playbook("site", "--check", "--diff")
    reservations = lab.ec2.describe_instances()["Reservations"]
    return Cluster(check, len(reservations), lab.playbook("site").ok())


@pytest.fixture(scope="session")
def grown(lab: Lab, cluster: Cluster) -> Playbook:
    """The same Swarm with three managers and four workers in three zones."""
    return lab.playbook("site", "-e", "managers=3", "-e", "workers=4").ok()


@pytest.fixture(scope="session")
def engine() -> docker.DockerClient:
    """The host's Engine, which the lab's machines run on."""
    return docker.from_env()
