"""A Swarm of Debian 12's Engine in a lab of its own, with a stack behind a load balancer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from swarmctl.lab.api import OLDER_ENGINE_AMI
from swarmctl.wait import wait_for
from tests.lab.helpers.agent import running_agent
from tests.lab.helpers.balanced import Balancer, load_balancer
from tests.lab.helpers.own_lab import lab_of_its_own
from tests.lab.support import BIN, NAME, Lab, Playbook, healthy

STACK = "shop"
# An Engine of this age wants a version in the compose file.
COMPOSE = """\
version: "3.8"
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
    stop_grace_period: 10s
    healthcheck: {test: "bash -c '</dev/tcp/127.0.0.1/80'", interval: 1s, retries: 3}
    deploy:
      replicas: 4
      restart_policy: {delay: 1s}
      labels:
        swarmctl.http.path: "/*"
        swarmctl.http.deregistration-delay: 5s
        swarmctl.http.health-interval: 5s
"""


@pytest.fixture(scope="module")
def sizes() -> tuple[int, int]:
    """Managers and workers."""
    return 3, 3


@pytest.fixture(scope="module")
def lab(sizes: tuple[int, int]) -> Iterator[Lab]:
    """A Swarm with the older Engine; no stack. Managers run tasks: their moves are seen, too."""
    options = [f"managers={sizes[0]}", f"workers={sizes[1]}", f"ami_id={OLDER_ENGINE_AMI}"]
    options += ['{"stacks": [], "swarm_managers_run_tasks": true}']
    with lab_of_its_own(f"{NAME}-upgrade") as running:
        running.playbook("site", *(word for o in options for word in ("-e", o))).ok()
        yield running


def upgrade(lab: Lab, *words: str) -> Playbook:
    """Run the playbook, which takes its time."""
    done = lab.run(str(BIN / "ansible-playbook"), "playbooks/upgrade.yml", *words, timeout=2400)
    return Playbook(done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def balancer(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    """Four replicas behind a load balancer, with an agent."""
    folder = tmp_path_factory.mktemp(STACK)
    path = folder / "docker-compose.yml"
    path.write_text(COMPOSE)
    with load_balancer(lab) as made, running_agent(lab, folder / "agent.log"):
        done = lab.swarmctl("stack", "deploy", str(path), f"--as={STACK}", timeout=400)
        assert done.returncode == 0, done.stderr
        wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=120, interval=1)
        wait_for(
            "the targets", lambda: (targets(made) == 4 or None, f"{targets(made)}"), timeout=90
        )
        yield made


def targets(balancer: Balancer) -> int:
    """The healthy targets of the stack."""
    arn = balancer.groups().get(f"{STACK}_web")
    if arn is None:
        return 0
    found = balancer.elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    return sum(each["TargetHealth"]["State"] == "healthy" for each in found)
