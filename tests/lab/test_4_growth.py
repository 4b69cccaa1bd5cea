"""Day two: a Swarm grows, and outlives the manager that swarmctl was talking to."""

import pytest

from tests.lab.support import CLUSTER, Cluster, Lab

pytestmark = pytest.mark.timeout(600)


def test_one_manager_becomes_three_and_any_of_them_answers(lab: Lab, cluster: Cluster) -> None:
    """Broken: the first manager is the single point of failure of everything."""
    before = {n["id"] for n in lab.status()["nodes"]}
    grown = lab.playbook("site", "-e", "managers=3").ok()
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
        # Without a pause: the dead manager's connection fails, the next one is asked.
        assert {n["name"] for n in lab.status()["nodes"]} >= {f"{CLUSTER}_mgr2"}
    finally:
        lab.ec2.get_waiter("instance_stopped").wait(
            InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        lab.ec2.start_instances(InstanceIds=[instance])
        lab.wait_until_running(leader)
