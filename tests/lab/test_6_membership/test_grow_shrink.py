"""1 → 3 → 5 → 3 → 1 managers and 3 → 6 → 2 workers, while a user sends requests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from swarmctl.wait import wait_for
from tests.lab.helpers.balanced import Balancer
from tests.lab.helpers.requests_a_second import requests_a_second
from tests.lab.support import CLUSTER, Lab
from tests.lab.test_6_membership.conftest import RATE, leader, members, sized

pytestmark = [pytest.mark.long, pytest.mark.timeout(60 * 60)]


def test_a_cluster_grows_and_shrinks_and_no_request_is_lost(
    lab: Lab, balancer: Balancer, record_property: Callable[[str, object], None]
) -> None:
    """Broken: users see errors when nodes come or go; or the Swarm loses its quorum."""
    with requests_a_second(balancer.address, "/", RATE) as requests:
        sized(lab, 3, 3)
        zones = {n["name"]: n["labels"]["az"] for n in lab.status()["nodes"]}
        sized(lab, 5, 6)
        assert len(members(lab, "manager")) == 5
        lead_by_another_than(lab, f"{CLUSTER}_mgr1")
        unasked = sized(lab, 3, 2, "--check")
        assert "Nothing is removed" in " ".join(unasked.output.split())
        sized(lab, 3, 2, "-e", "allow_shrink=true")
        assert members(lab, "manager") == {"mgr1", "mgr2", "mgr3"}
        assert members(lab, "worker") == {"wkr1", "wkr2"}
        lead_by_another_than(lab, f"{CLUSTER}_mgr1")
        last = sized(lab, 1, 2, "-e", "allow_shrink=mgr2,mgr3")
        assert members(lab, "manager") == {"mgr1"}
    record_property("sent", requests.sent)
    now = {n["name"]: n["labels"]["az"] for n in lab.status()["nodes"]}
    assert now == {name: zones[name] for name in now}
    assert f"{CLUSTER}_mgr3" in last.output
    assert requests.lost == []
    assert interfaces(lab) == {f"{CLUSTER}_mgr1"}, "of managers that nobody comes after"
    sized(lab, 1, 3)


def interfaces(lab: Lab) -> set[str]:
    """The names of the managers' network interfaces and Elastic IPs."""
    ec2 = lab.client("ec2")
    mine = [
        {"Name": "tag:swarmctl:cluster", "Values": [CLUSTER]},
        {"Name": "tag-key", "Values": ["Name"]},
    ]
    found = [
        e["TagSet"] for e in ec2.describe_network_interfaces(Filters=mine)["NetworkInterfaces"]
    ]
    found += [e["Tags"] for e in ec2.describe_addresses(Filters=mine)["Addresses"]]
    return {tag["Value"] for tags in found for tag in tags if tag["Key"] == "Name"}


def lead_by_another_than(lab: Lab, name: str) -> None:
    """Another manager is elected: the one that leads restarts its Engine."""
    if leader(lab) == name:
        lab.ssh(name, "sudo systemctl restart docker")

    def another() -> tuple[bool | None, str]:
        done = lab.swarmctl("status", "--format", "json")
        if done.returncode != 0:
            return None, done.stderr
        found = leader(lab)
        return (None if found == name else True), found

    wait_for("another leader", another, timeout=120, interval=1)
    wait_for("every node to be ready", lambda: _ready(lab), timeout=120, interval=1)


def _ready(lab: Lab) -> tuple[bool | None, str]:
    states = {n["name"]: n["state"] for n in lab.status()["nodes"]}
    return set(states.values()) == {"ready"} or None, str(states)
