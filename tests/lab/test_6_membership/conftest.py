"""A Swarm of its own, with a service of three replicas on the workers that never leave.

The other tests' Swarm keeps its size.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from swarmctl.wait import wait_for
from tests.lab.helpers.agent import running_agent
from tests.lab.helpers.balanced import Balancer, write_stack
from tests.lab.helpers.own_lab import lab_of_its_own
from tests.lab.support import NAME, Lab, Playbook, healthy

STACK, RATE = "shop", 20
BALANCED = ("-e", "load_balancer_enabled=true")


@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    """One manager and three workers with the three-tier stack."""
    with lab_of_its_own(f"{NAME}-members") as running:
        running.playbook("site").ok()
        yield running


@pytest.fixture(scope="module")
def balancer(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    """The service, with an agent that keeps the load balancer's targets."""
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=120, interval=1)
    folder = tmp_path_factory.mktemp(STACK)
    lab.playbook("provision", *BALANCED).ok()
    elb = lab.client("elbv2")
    (found,) = elb.describe_load_balancers()["LoadBalancers"]
    made = Balancer(elb, found["DNSName"])
    with running_agent(lab, folder / "agent.log"):
        done = lab.swarmctl(
            "stack", "deploy", write_stack(folder, web=3), f"--as={STACK}", timeout=400
        )
        assert done.returncode == 0, done.stderr
        wait_for("3 healthy targets", lambda: _targets(made), timeout=60)
        yield made
        lab.swarmctl("stack", "rm", STACK, "--yes")
    lab.playbook("provision").ok()  # without a load balancer


def _targets(made: Balancer) -> tuple[bool | None, str]:
    arn = made.groups().get(f"{STACK}_web")
    if not arn:
        return None, "no target group"
    found = made.elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    states = [each["TargetHealth"]["State"] for each in found]
    return states == ["healthy"] * 3 or None, str(states)


def counts(managers: int, workers: int) -> tuple[str, ...]:
    """What a playbook is told of the cluster's size."""
    return "-e", f"managers={managers}", "-e", f"workers={workers}", *BALANCED


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
