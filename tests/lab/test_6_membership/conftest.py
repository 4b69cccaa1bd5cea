"""A service of three replicas behind a load balancer, on the workers that never leave."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from swarmctl.wait import wait_for
from tests.lab.helpers.agent import running_agent
from tests.lab.helpers.balanced import Balancer, load_balancer, write_stack
from tests.lab.support import Cluster, Lab, Playbook, healthy

STACK, RATE = "shop", 20


@pytest.fixture(scope="module")
def balancer(
    lab: Lab, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Balancer]:
    """The service, with an agent that keeps the load balancer's targets."""
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=120, interval=1)
    folder = tmp_path_factory.mktemp(STACK)
    with load_balancer(lab) as made, running_agent(lab, folder / "agent.log"):
        done = lab.swarmctl(
            "stack", "deploy", write_stack(folder, web=3), f"--as={STACK}", timeout=400
        )
        assert done.returncode == 0, done.stderr
        wait_for("3 targets", lambda: _targets(made), timeout=60)
        yield made
        lab.swarmctl("stack", "rm", STACK, "--yes")


def _targets(made: Balancer) -> tuple[bool | None, str]:
    count = len(made.targets().get(f"{STACK}_web", ()))
    return count == 3 or None, f"{count} of 3"


def counts(managers: int, workers: int) -> tuple[str, ...]:
    """What a playbook is told of the cluster's size."""
    return "-e", f"managers={managers}", "-e", f"workers={workers}"


def sized(lab: Lab, managers: int, workers: int, *more: str) -> Playbook:
    """Bring the cluster to this size."""
    return lab.playbook("site", *counts(managers, workers), *more).ok()


def members(lab: Lab, role: str) -> set[str]:
    """The short names of the nodes of a role; every one is ready, and each name is there once."""
    nodes = lab.status()["nodes"]
    assert {n["state"] for n in nodes} == {"ready"}, nodes
    found = [n["name"].rsplit("_", 1)[-1] for n in nodes if n["role"] == role]
    assert len(found) == len(set(found)), found
    return set(found)


def leader(lab: Lab) -> str:
    """The leader's full name."""
    return str(next(n["name"] for n in lab.status()["nodes"] if n["leader"]))
