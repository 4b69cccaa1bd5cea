"""Three services behind one load balancer: labels, scaling, a killed worker, removal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from swarmctl.reading.times import unix_time
from swarmctl.wait import wait_for
from tests.lab.helpers.agent import Agent, running_agent
from tests.lab.helpers.balanced import (
    Balancer,
    Place,
    Watch,
    load_balancer,
    serving_targets,
    write_stack,
)
from tests.lab.support import CLUSTER, Cluster, Lab, healthy, serving_on

pytestmark = pytest.mark.timeout(600)

STACK = "shop"
NAMES = tuple(f"{STACK}_{name}" for name in ("auth", "service", "web"))
PINNED = f"{CLUSTER}_wkr1"  # where the three-tier stack's database is
# The agent polls twice a second; these machines share two cores with all others.
MOST_S = 3.0


@pytest.fixture(scope="module")
def balancer(lab: Lab, cluster: Cluster) -> Iterator[Balancer]:
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=120, interval=1)
    with load_balancer(lab) as made:
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop")


@pytest.fixture(scope="module")
def agent(lab: Lab, balancer: Balancer, folder: Path) -> Iterator[Agent]:
    """An agent with the three services deployed."""
    try:
        with running_agent(lab, folder / "agent.log") as running:
            deploy(lab, folder, auth=2, service=2, web=3)
            yield running
    finally:
        lab.swarmctl("stack", "rm", STACK, "--yes")


def deploy(lab: Lab, folder: Path, **replicas: int) -> None:
    compose = write_stack(folder, **replicas)
    done = lab.swarmctl("stack", "deploy", compose, f"--as={STACK}", timeout=400)
    assert done.returncode == 0, done.stderr


def wait_for_targets(lab: Lab, balancer: Balancer, *services: str) -> dict[str, set[Place]]:
    """Wait until the target groups are what serves."""

    def same() -> tuple[bool | None, str]:
        there, wanted = balancer.targets(), {s: set(serving_targets(lab, s)) for s in services}
        return ({s: there.get(s) for s in services} == wanted or None), f"{there} not {wanted}"

    wait_for("the targets to be what serves", same, timeout=60, interval=0.5)
    return balancer.targets()


def get(balancer: Balancer, path: str) -> tuple[int, str]:
    answer = requests.get(f"http://{balancer.address}{path}", timeout=10)
    return answer.status_code, answer.text.strip()


def wait_for_answer(balancer: Balancer, path: str, wanted: tuple[int, str]) -> None:
    wait_for(
        f"{path} to answer {wanted}",
        lambda: ((found := get(balancer, path)) == wanted or None, str(found)),
        timeout=60,
    )


def test_one_stack_deploy_makes_three_services_reachable_by_their_paths(
    lab: Lab, balancer: Balancer, agent: Agent
) -> None:
    """Broken: a service that serves has no URL, or another service answers at it."""
    wait_for_targets(lab, balancer, *NAMES)
    for path, body in (
        ("/auth", "auth"),
        ("/auth/", "auth"),
        ("/service", "service"),
        ("/", "web"),
    ):
        wait_for_answer(balancer, path, (200, body))
    listed = lab.swarmctl("discovery", "list")
    assert f"http://{balancer.address}/auth" in listed.stdout
    nothing = lab.swarmctl("discovery", "sync", "--dry-run")
    assert "nothing to change" in nothing.stderr
    assert nothing.stdout == ""


def test_scaling_to_four_and_to_one_is_seen_in_the_target_group(
    lab: Lab, balancer: Balancer, agent: Agent
) -> None:
    for count in (4, 1):
        lab.ssh(f"{CLUSTER}_mgr1", f"sudo docker service scale -d {NAMES[0]}={count}")
        wait_for(
            f"{count} targets",
            lambda n=count: (len(balancer.targets()[NAMES[0]]) == n or None, ""),  # type: ignore[misc]  # bound now
            timeout=60,
        )
        assert wait_for_targets(lab, balancer, NAMES[0])
    wait_for_answer(balancer, "/auth", (200, "auth"))


def test_a_killed_workers_targets_go_with_swarms_down_and_new_ones_come_when_healthy(
    lab: Lab, balancer: Balancer, agent: Agent
) -> None:
    """Broken: the load balancer sends users to a dead machine until its health checks notice."""
    status = lab.status()
    workers = [n["name"] for n in status["nodes"] if n["role"] == "worker"]
    victim = max(set(workers) - {PINNED}, key=lambda name: serving_on(status, name))
    instance = lab.instance(victim)["InstanceId"]
    before = wait_for_targets(lab, balancer, *NAMES)
    lost = {place for s in NAMES for place in before[s] if place[0] == instance}
    assert lost
    with Watch(balancer) as watch:
        lab.ec2.stop_instances(InstanceIds=[instance], Force=True)
        try:
            wait_for(
                "the dead worker's targets to go",
                lambda: (lost <= set(watch.gone) or None, f"{watch.gone}"),
                timeout=90,
            )
            wait_for_targets(lab, balancer, *NAMES)
            down = down_at(lab, victim)
            after = serving_targets(lab, *NAMES)
            wait_for(
                "the new targets to be seen",
                lambda: (set(after) <= set(watch.first) or None, f"{watch.first}"),
                timeout=10,
            )
        finally:
            lab.ec2.start_instances(InstanceIds=[instance])
            lab.wait_until_running(victim)
    gone_s = [watch.gone[place] - down for place in lost]
    come_s = [watch.first[place] - since for place, since in after.items() if since > down]
    figures = f"gone after {sorted(gone_s)} s, came after {sorted(come_s)} s"
    assert max(gone_s) <= MOST_S, figures
    assert come_s
    assert max(come_s) <= MOST_S, figures


def down_at(lab: Lab, name: str) -> float:
    """When Swarm called a node down (Unix time): its last update."""
    node = next(n for n in lab.status()["nodes"] if n["name"] == name)
    shown = lab.ssh(f"{CLUSTER}_mgr1", f"sudo docker node inspect {node['id']}")
    (found,) = json.loads(shown.stdout)
    assert found["Status"]["State"] == "down"
    return unix_time(found["UpdatedAt"])


def test_a_removed_stack_leaves_no_rule_and_no_target_group(
    lab: Lab, balancer: Balancer, agent: Agent
) -> None:
    """Broken: a name of a removed service answers 503 for ever, and quotas run out."""
    lab.swarmctl("stack", "rm", STACK, "--yes")
    wait_for(
        "the target groups to go",
        lambda: (not set(NAMES) & set(balancer.targets()) or None, str(balancer.targets())),
        timeout=60,
    )
    wait_for_answer(balancer, "/auth", (404, ""))
