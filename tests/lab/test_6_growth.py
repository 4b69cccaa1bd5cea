"""Day two: a Swarm grows, and swarmctl works after the loss of the manager it used."""

import json

import pytest

from swarmctl.wait import wait_for
from tests.lab.support import CLUSTER, Cluster, Lab, Playbook, healthy

pytestmark = pytest.mark.timeout(600)


def test_one_manager_becomes_three_and_any_of_them_answers(
    lab: Lab, cluster: Cluster, request: pytest.FixtureRequest
) -> None:
    """Broken: the first manager is a single point of failure."""
    before = {n["id"] for n in lab.status()["nodes"]}
    grown: Playbook = request.getfixturevalue("grown")
    assert grown.changed > 0
    nodes = lab.status()["nodes"]
    managers = [n for n in nodes if n["role"] == "manager"]
    assert len(managers) == 3
    assert {n["state"] for n in nodes} == {"ready"}
    assert before <= {n["id"] for n in nodes}, "a node was replaced"

    leader = next(n["name"] for n in managers if n["leader"])
    instance = lab.instance(leader)["InstanceId"]
    lab.ec2.stop_instances(InstanceIds=[instance])
    try:
        # The others answer as soon as they have elected a leader.
        names = wait_for("another manager to answer", lambda: known_nodes(lab), timeout=90)
        assert names == {n["name"] for n in nodes}
    finally:
        lab.ec2.get_waiter("instance_stopped").wait(
            InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        lab.ec2.start_instances(InstanceIds=[instance])
        lab.wait_until_running(leader)


def test_nodes_that_the_settings_do_not_have_are_named_running_or_stopped(
    lab: Lab, grown: Playbook
) -> None:
    """Broken: fewer workers are asked for, nothing is removed and nothing is said."""
    fewer = ("provision", "-e", "managers=3", "-e", "workers=3")
    said = lab.playbook(*fewer).ok().output
    assert f"{CLUSTER}_wkr4 (running): not among the 6 nodes" in " ".join(said.split())
    instance = lab.instance(f"{CLUSTER}_wkr4")["InstanceId"]
    lab.ec2.stop_instances(InstanceIds=[instance])
    lab.ec2.get_waiter("instance_stopped").wait(
        InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    try:
        said = lab.playbook(*fewer).ok().output
        assert f"{CLUSTER}_wkr4 (stopped): not among the 6 nodes" in " ".join(said.split())
    finally:
        lab.ec2.start_instances(InstanceIds=[instance])
        lab.wait_until_running(f"{CLUSTER}_wkr4")
        wait_for("every node to be ready", lambda: healthy(lab), timeout=120)


def known_nodes(lab: Lab) -> tuple[set[str] | None, str]:
    """The nodes in ``swarmctl status``, if it finds a manager."""
    done = lab.swarmctl("status", "--format", "json")
    if done.returncode != 0:
        return None, done.stderr
    return {node["name"] for node in json.loads(done.stdout)["nodes"]}, ""
