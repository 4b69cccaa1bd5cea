"""A run that was killed anywhere ends, when it is repeated, where one would have ended."""

from __future__ import annotations

import pytest

from swarmctl.wait import wait_for
from tests.lab.helpers.killed_run import killed_at
from tests.lab.support import CLUSTER, Lab, healthy
from tests.lab.test_6_ha.conftest import SIZE

pytestmark = [pytest.mark.long, pytest.mark.timeout(3000)]

# One of each kind of work: AWS's network, instances that start, packages, the Swarm, a stack.
POINTS = (
    "changed: Create the subnets",
    "changed: Create the managers' network interfaces",
    "changed: Create or start the instances",
    "changed: Found the Swarm on the first manager",
    "_web 1/",
)


def test_a_run_killed_at_five_points_is_finished_by_the_next_and_the_third_changes_nothing(
    lab: Lab,
) -> None:
    """Broken: an operator's lost connection leaves a cluster that no run can finish."""
    for point in POINTS:
        killed_at(lab, point, "site", *SIZE)
    lab.playbook("site", *SIZE).ok()
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=180, interval=1)
    names = [n["name"] for n in lab.status()["nodes"]]
    assert sorted(names) == [f"{CLUSTER}_mgr{n}" for n in (1, 2, 3)] + [f"{CLUSTER}_wkr1"]
    interfaces = lab.ec2.describe_network_interfaces(
        Filters=[{"Name": "tag:swarmctl:cluster", "Values": [CLUSTER]}]
    )["NetworkInterfaces"]
    assert len(interfaces) == 3, "a killed run left an interface behind"
    assert len(lab.ec2.describe_addresses()["Addresses"]) == 3
    third = lab.playbook("site", *SIZE).ok()
    assert third.changes == []
    assert third.changed == 0
