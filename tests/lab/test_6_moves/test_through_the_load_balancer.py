"""Moves through the load balancer while a user sends 50 requests a second: none is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from swarmctl.wait import wait_for
from tests.lab.helpers.agent import running_agent
from tests.lab.helpers.balanced import Balancer, load_balancer
from tests.lab.helpers.requests_a_second import requests_a_second
from tests.lab.support import CLUSTER, Cluster, Lab, healthy

STACK, RATE, TIMES = "moves", 50, 20
PINNED = f"{CLUSTER}_wkr1"  # where the three-tier stack's database is
MINUTE = 60

COMPOSE = """\
services:
  web:
    image: httpd:2.4
    ports: [{target: 80, mode: host}]
    stop_signal: SIGTERM
    # It answers for 3 s more after SIGTERM, as the stacks of this repository do.
    command:
      - bash
      - -c
      - 'httpd-foreground & trap "sleep 3; kill -WINCH $$!" TERM; wait $$!; wait $$!'
    environment: {VERSION: "%d"}
    stop_grace_period: 10s
    healthcheck: {test: "bash -c '</dev/tcp/127.0.0.1/80'", interval: 1s, retries: 3}
    deploy:
      replicas: 3
      placement: {constraints: [node.role == worker]}
      restart_policy: {delay: 1s}
      update_config: {order: start-first, delay: 5s, monitor: 5s, failure_action: rollback}
      labels:
        swarmctl.http.path: "/*"
        swarmctl.http.deregistration-delay: 5s
        swarmctl.http.health-interval: 5s
"""


@pytest.fixture(scope="module")
def balancer(
    lab: Lab, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Balancer]:
    """The stack behind a load balancer, with an agent."""
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=120, interval=1)
    folder = tmp_path_factory.mktemp(STACK)
    with load_balancer(lab) as made, running_agent(lab, folder / "agent.log"):
        try:
            deploy(lab, folder, 0)
            yield made
        finally:
            lab.swarmctl("stack", "rm", STACK, "--yes")


def deploy(lab: Lab, folder: Path, version: int) -> None:
    path = folder / "docker-compose.yml"
    path.write_text(COMPOSE % version)
    done = lab.swarmctl("stack", "deploy", str(path), f"--as={STACK}", timeout=400)
    assert done.returncode == 0, done.stderr


def drained_and_back(lab: Lab, name: str) -> None:
    done = lab.swarmctl("node", "drain", name, "--yes", timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "load balancer" in done.stderr
    done = lab.swarmctl("node", "activate", name)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
@pytest.mark.timeout(90 * MINUTE)
def test_updates_and_drains_lose_no_request(
    lab: Lab,
    balancer: Balancer,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Broken: users see errors whenever an operator deploys or drains."""
    wait_for(
        "the stack's targets to be healthy",
        lambda: (healthy_targets(balancer) == 3 or None, f"{healthy_targets(balancer)} of 3"),
        timeout=60,
    )
    with requests_a_second(balancer.address, "/", RATE) as requests:
        for number in range(TIMES):
            deploy(lab, tmp_path, number + 1)
            drained_and_back(lab, node_in_use(lab))
    record_property("sent", requests.sent)
    assert requests.sent > 20 * RATE * TIMES
    assert requests.lost == []


def node_in_use(lab: Lab) -> str:
    """A worker with replicas of the stack, and without the database."""
    (web,) = [s for s in lab.status()["services"] if s["name"] == f"{STACK}_web"]
    return str(max(set(web["nodes"]) - {PINNED}, key=lambda name: int(web["nodes"][name])))


def healthy_targets(balancer: Balancer) -> int:
    arn = balancer.groups().get(f"{STACK}_web")
    if arn is None:
        return 0
    found = balancer.elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    return sum(each["TargetHealth"]["State"] == "healthy" for each in found)
