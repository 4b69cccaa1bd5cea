"""Logs outlive their node, and a failure of CloudWatch stops no task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from swarmctl.wait import wait_for
from tests.lab.support import CLUSTER, NAME, STACK, Cluster, Lab, Playbook, healthy

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

GROUP = f"/swarmctl/{CLUSTER}/{STACK}"
STACKS = [{"name": STACK, "logging": "awslogs", "secrets": ["three_tier_db_password"]}]
SERVICE = "numbers"
# Not on the fourth worker, which other tests make: a run that does not know it gives it no rights.
CREATE = f"""
docker service create --detach --quiet --name {SERVICE} --replicas 3 --restart-delay 1s \\
  --constraint node.role==worker --constraint node.hostname!={CLUSTER}_wkr1 \\
  --constraint node.hostname!={CLUSTER}_wkr4 \\
  --log-driver awslogs --log-opt awslogs-region=eu-central-1 --log-opt awslogs-group={GROUP} \\
  --log-opt awslogs-endpoint=ENDPOINT --log-opt awslogs-create-group=false \\
  --log-opt mode=non-blocking --log-opt max-buffer-size=4m \\
  --log-opt 'tag={{{{.Name}}}}/{{{{index .ContainerLabels "com.docker.swarm.node.id"}}}}' \\
  httpd:2.4 bash -c 'n=0; while sleep 0.2; do echo $((n+=1)); done'
"""


@pytest.fixture(scope="module")
def logged(lab: Lab, cluster: Cluster) -> Iterator[tuple[Playbook, Playbook]]:
    """The cluster, which was without, with logs in CloudWatch: the run, and the same again."""
    words = ("site", "-e", json.dumps({"stacks": STACKS}))
    yield lab.playbook(*words).ok(), lab.playbook(*words).ok()
    lab.playbook("site").ok()


@pytest.fixture(scope="module")
def numbers(lab: Lab, logged: object) -> Iterator[None]:
    """Three replicas that write 1, 2, 3 …, whose first lines are in CloudWatch."""
    create = CREATE.replace("ENDPOINT", lab.env["SWARMCTL_NODE_AWS_ENDPOINT_URL"])
    assert (made := lab.ssh(f"{CLUSTER}_mgr1", create)).returncode == 0, made.stderr

    def written() -> tuple[bool | None, str]:
        tasks = {line["task"] for line in lines(lab, "--tail", "all", check=False)}
        return (True if len(tasks) == 3 else None), f"lines of {len(tasks)} tasks"

    wait_for("lines of three replicas", written, timeout=120)
    yield
    lab.ssh(f"{CLUSTER}_mgr1", f"docker service rm {SERVICE}")


def lines(lab: Lab, *words: str, check: bool = True) -> list[dict[str, Any]]:
    done = lab.swarmctl("logs", SERVICE, "--format", "json", *words)
    assert not check or done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def running(lab: Lab, service: str = SERVICE) -> set[str]:
    """The ids of the tasks of a service that run."""
    asked = "--no-trunc --filter desired-state=running --format '{{.ID}} {{.CurrentState}}'"
    done = lab.ssh(f"{CLUSTER}_mgr1", f"docker service ps {service} {asked}")
    return {line.split()[0] for line in done.stdout.splitlines() if " Running " in line}


def test_a_retention_that_cloudwatch_does_not_have_stops_the_run(lab: Lab, logged: object) -> None:
    """Broken: a wrong number deletes the logs, or is found out in the middle of a run."""
    refused = lab.playbook("site", "-e", "logs_retention=2")
    assert refused.code != 0
    assert "logs_retention is 2; allowed, in days: 1, 3, 5" in refused.output
    (group,) = lab.client("logs").describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]
    assert group["retentionInDays"] == 30


def test_running_nodes_get_the_right_to_write_and_a_second_run_changes_nothing(
    lab: Lab, logged: tuple[Playbook, Playbook]
) -> None:
    """Broken: logs need new nodes, or every run changes something."""
    profiles = {
        name: lab.instance(f"{CLUSTER}_{name}")["IamInstanceProfile"]["Arn"].rpartition("_")[2]
        for name in ("mgr1", "wkr1", "wkr2", "wkr3")
    }
    assert profiles == {"mgr1": "manager", "wkr1": "worker", "wkr2": "worker", "wkr3": "worker"}
    assert logged[1].changes == []
    streams = lab.client("logs").describe_log_streams(logGroupName=GROUP)["logStreams"]
    assert any(stream["logStreamName"].startswith(f"{STACK}_web.") for stream in streams)


def test_the_lines_of_a_replica_that_died_with_its_node_are_shown_by_one_command(
    lab: Lab, numbers: None
) -> None:
    """Broken: after a node's death nobody can tell what its replicas did last."""
    before = lines(lab, "--tail", "all")
    victim = before[-1]["node"]
    dead = {line["task"] for line in before if line["node"] == victim}
    instance = lab.instance(victim)["InstanceId"]
    lab.ec2.stop_instances(InstanceIds=[instance], Force=True)

    def replaced() -> tuple[bool | None, str]:
        tasks = running(lab)
        return (True if len(tasks) == 3 and not tasks & dead else None), f"{tasks}"

    wait_for("the replicas to run elsewhere", replaced, timeout=120)
    after = lines(lab, "--tail", "all")
    moments = [line["at"] for line in after]
    assert moments == sorted(moments)
    for task in dead:
        of_task = [line for line in after if line["task"] == task]
        seen = [line for line in before if line["task"] == task]
        assert {line["node"] for line in of_task} == {victim}
        assert [int(line["message"]) for line in of_task] == list(range(1, len(of_task) + 1))
        assert len(of_task) >= len(seen)
    shown = lab.swarmctl("logs", SERVICE, "--node", victim, "-n", "3")
    assert (shown.returncode, len(shown.stdout.splitlines())) == (0, 3), shown.stderr
    lab.ec2.start_instances(InstanceIds=[instance])
    lab.wait_until_running(victim)
    wait_for("every node to be ready", lambda: healthy(lab), timeout=180)


def test_a_cloudwatch_that_answers_errors_stops_no_task(lab: Lab, numbers: None) -> None:
    """Broken: an outage of CloudWatch becomes an outage of everything that writes to it."""
    before = running(lab)
    fault = ("lab", "fault", "--name", NAME, "--service", "logs", "--status", "500")
    assert lab.swarmctl(*fault, "--for", "600s").returncode == 0
    try:
        update = f"docker service update --detach --quiet --force {SERVICE}"
        assert (updated := lab.ssh(f"{CLUSTER}_mgr1", update)).returncode == 0, updated.stderr

        def rolled() -> tuple[bool | None, str]:
            tasks = running(lab)
            return (True if len(tasks) == 3 and not tasks & before else None), f"{tasks}"

        wait_for("three new replicas", rolled, timeout=120)
        denied = lab.swarmctl("logs", SERVICE)
        assert denied.returncode == 1
        assert f"{GROUP} was not read" in denied.stderr
    finally:
        lab.swarmctl(*fault, "--for", "0")


def test_a_cloudwatch_that_does_not_answer_stops_no_task_and_the_loss_is_counted(
    lab: Lab, logged: object
) -> None:
    """Broken: lines are lost, and nobody can tell how many."""
    silent = lab.env["SWARMCTL_NODE_AWS_ENDPOINT_URL"] + ":9"  # nothing listens there
    create = CREATE.replace("ENDPOINT", silent).replace(f"--name {SERVICE}", "--name silent")
    assert (made := lab.ssh(f"{CLUSTER}_mgr1", create)).returncode == 0, made.stderr

    def started() -> tuple[bool | None, str]:
        tasks = running(lab, "silent")
        return (True if len(tasks) == 3 else None), f"{tasks}"

    def counted() -> tuple[bool | None, str]:
        done = lab.swarmctl("logs", "silent", "--lost", "--since", "2m")
        named = all(f"({task[:12]})" in done.stdout for task in running(lab, "silent"))
        return (True if done.returncode == 1 and named else None), done.stdout + done.stderr

    try:
        wait_for("three replicas", started, timeout=120)
        wait_for("the loss to be counted", counted, timeout=120)
    finally:
        lab.ssh(f"{CLUSTER}_mgr1", "docker service rm silent")
