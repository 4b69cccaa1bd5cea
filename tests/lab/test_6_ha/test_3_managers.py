"""Three managers: they are spared replicas, and a replaced one keeps its address."""

from __future__ import annotations

import pytest

from swarmctl.wait import wait_for
from tests.lab.support import CLUSTER, STACK, Lab, healthy
from tests.lab.test_6_ha.conftest import SIZE

pytestmark = [pytest.mark.long, pytest.mark.timeout(2400)]

MANAGERS = [f"{CLUSTER}_mgr{number}" for number in (1, 2, 3)]


def on_managers(lab: Lab) -> dict[str, list[str]]:
    """The services that run on managers."""
    services = {
        s["name"]: sorted(set(s["nodes"]) & set(MANAGERS)) for s in lab.status()["services"]
    }
    return {name: nodes for name, nodes in services.items() if nodes}


def test_replicas_leave_the_managers_only_where_the_setting_says_so(lab: Lab) -> None:
    """Broken: a busy stack takes the managers' memory, and the Swarm loses its majority."""
    lab.playbook("site", *SIZE).ok()
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=180, interval=1)
    assert on_managers(lab) == {}
    assert {n["availability"] for n in lab.status()["nodes"]} == {"active"}
    lint = lab.swarmctl("stack", "lint", f"stacks/{STACK}", "--cluster", CLUSTER)
    assert "may run on managers" not in lint.stdout
    again = lab.playbook("site", *SIZE).ok()
    assert again.changed == 0

    lab.ssh(MANAGERS[1], f"sudo docker node update --availability drain {MANAGERS[1]}")
    also = lab.playbook("site", *SIZE).ok()
    assert also.changed == 0
    states = {n["name"]: n["availability"] for n in lab.status()["nodes"]}
    assert states[MANAGERS[1]] == "drain", "a run undid the operator's own availability"
    lab.ssh(MANAGERS[1], f"sudo docker node update --availability active {MANAGERS[1]}")


def test_a_replaced_manager_has_the_address_of_its_predecessor(lab: Lab) -> None:
    """Broken: the other managers look for it where it is no more, and a restore is impossible."""
    before = lab.instance(MANAGERS[2])
    lab.ec2.terminate_instances(InstanceIds=[before["InstanceId"]])
    lab.playbook("provision", *SIZE).ok()
    after = lab.instance(MANAGERS[2])
    assert after["InstanceId"] != before["InstanceId"]
    assert after["PrivateIpAddress"] == before["PrivateIpAddress"]


def test_teardown_says_before_and_afterwards_what_there_is_to_remove(lab: Lab) -> None:
    """Broken: interfaces and Elastic IPs cost money for ever."""
    check = lab.playbook("teardown", "--check").ok()
    assert any("Terminate the instances" in change for change in check.changes)
    assert any("Release the Elastic IPs" in change for change in check.changes)
    assert len(lab.ec2.describe_addresses()["Addresses"]) == 3
    lab.playbook("teardown", "-e", "confirm=yes").ok()
    assert lab.ec2.describe_addresses()["Addresses"] == []
    found = lab.ec2.describe_network_interfaces(
        Filters=[{"Name": "tag-key", "Values": ["swarmctl:cluster"]}]
    )
    assert found["NetworkInterfaces"] == []
    assert lab.playbook("teardown", "--check").ok().changes == []
