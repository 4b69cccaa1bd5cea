"""Machines that were stopped, terminated or reinstalled are replaced, and lost ones forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from swarmctl.wait import wait_for
from tests.lab.helpers.balanced import Balancer
from tests.lab.helpers.requests_a_second import requests_a_second
from tests.lab.support import CLUSTER, Lab
from tests.lab.test_6_membership.conftest import RATE, counts, leader, members, sized

pytestmark = [pytest.mark.long, pytest.mark.timeout(30 * 60)]


@pytest.fixture(scope="module")
def three(lab: Lab, balancer: Balancer) -> Iterator[Balancer]:
    """Three managers."""
    sized(lab, 3, 3)
    yield balancer
    sized(lab, 1, 3, "-e", "allow_shrink=true")


def stopped(lab: Lab, name: str) -> None:
    lab.ec2.stop_instances(InstanceIds=[lab.instance(name)["InstanceId"]], Force=True)


def terminated(lab: Lab, name: str) -> None:
    lab.ec2.terminate_instances(InstanceIds=[lab.instance(name)["InstanceId"]])


def reinstalled(lab: Lab, name: str) -> None:
    script = (
        "systemctl stop docker.socket docker; rm -rf /var/lib/docker/swarm; systemctl start docker"
    )
    lab.ssh(name, f"sudo sh -c '{script}'")


FAULTS = [stopped, terminated, reinstalled]


@pytest.mark.parametrize("fault", FAULTS, ids=[f.__name__ for f in FAULTS])
@pytest.mark.parametrize("which", ["worker", "manager", "leader"])
def test_a_lost_node_is_replaced_under_its_name(
    lab: Lab,
    three: Balancer,
    which: str,
    fault: Callable[[Lab, str], None],
    record_property: Callable[[str, object], None],
) -> None:
    """Broken: a dead machine's entry stays, or the new one cannot have its name."""
    name = chosen(lab, which)
    before = identity(lab, name)
    fault(lab, name)
    wait_for("the loss to be noticed", lambda: lost(lab, name), timeout=180, interval=1)
    wait_for("every replica to serve", lambda: serving(lab), timeout=180, interval=1)

    more = ("-e", "reinstalled=true") if fault is reinstalled else ()
    with requests_a_second(three.address, "/", RATE) as requests:
        lab.playbook("replace_node", *counts(3, 3), "-e", f"node={name}", *more).ok()

    record_property("sent", requests.sent)
    assert members(lab, "manager") == {"mgr1", "mgr2", "mgr3"}
    assert members(lab, "worker") == {"wkr1", "wkr2", "wkr3"}
    now = identity(lab, name)
    assert now["id"] != before["id"]
    assert (now["instance"] == before["instance"]) is (fault is reinstalled)
    assert (now["settings"] == before["settings"]) is (fault is reinstalled), "of its machine"
    assert now["labels"] == before["labels"]
    assert requests.lost == []


def test_a_node_that_lives_is_replaced_and_no_request_is_lost(lab: Lab, three: Balancer) -> None:
    """Broken: replacing a sick machine hurts more than the sickness."""
    with requests_a_second(three.address, "/", RATE) as requests:
        lab.playbook("replace_node", *counts(3, 3), "-e", f"node={CLUSTER}_wkr3").ok()
    assert members(lab, "worker") == {"wkr1", "wkr2", "wkr3"}
    assert requests.lost == []


def test_the_only_data_and_the_only_majority_are_not_replaced(lab: Lab, three: Balancer) -> None:
    """Broken: a typing error costs the database, or the Swarm."""
    refused = lab.playbook("replace_node", *counts(3, 3), "-e", "node=wkr1")
    assert refused.code != 0
    assert "three_tier_db_data" in refused.output
    assert members(lab, "worker") == {"wkr1", "wkr2", "wkr3"}
    nobody = lab.playbook("replace_node", *counts(3, 3), "-e", "node=wkr7")
    assert "pass -e node=NAME" in " ".join(nobody.output.split())


def test_entries_of_machines_that_are_gone_are_reaped_and_others_stay(
    lab: Lab, three: Balancer
) -> None:
    """Broken: Down entries pile up; or a stopped machine is thrown out of the Swarm."""
    terminated(lab, f"{CLUSTER}_mgr3")
    stopped(lab, f"{CLUSTER}_wkr3")
    for name in (f"{CLUSTER}_mgr3", f"{CLUSTER}_wkr3"):
        wait_for("the loss to be noticed", partial(lost, lab, name), timeout=180, interval=1)
    waits = lab.playbook("reap_nodes").ok()
    assert waits.changed == 0
    assert "down for less than 600 s" in waits.output
    shown = lab.playbook("reap_nodes", "--check", "-e", "reap_grace=1").ok()
    assert shown.changed == 1
    done = lab.playbook("reap_nodes", "-e", "reap_grace=1").ok()
    assert "is stop" in done.output
    names = {n["name"] for n in lab.status()["nodes"]}
    assert f"{CLUSTER}_mgr3" not in names
    assert f"{CLUSTER}_wkr3" in names
    assert lab.playbook("reap_nodes", "-e", "reap_grace=1").ok().changed == 0
    sized(lab, 3, 3)


def chosen(lab: Lab, which: str) -> str:
    if which == "worker":
        return f"{CLUSTER}_wkr3"
    managers = [n for n in lab.status()["nodes"] if n["role"] == "manager"]
    return str(next(n["name"] for n in managers if n["leader"] is (which == "leader")))


def identity(lab: Lab, name: str) -> dict[str, object]:
    (node,) = [n for n in lab.status()["nodes"] if n["name"] == name]
    found = lab.ssh(
        leader(lab), f"sudo docker node inspect {node['id']} -f '{{{{json .Spec.Labels}}}}'"
    )
    labels = json.loads(found.stdout)
    settings = labels.pop("swarmctl.settings")
    instance = lab.instance(name)["InstanceId"]
    return {"id": node["id"], "instance": instance, "labels": labels, "settings": settings}


def lost(lab: Lab, name: str) -> tuple[bool | None, str]:
    done = lab.swarmctl("status", "--format", "json")
    if done.returncode != 0:
        return None, done.stderr
    states = [n["state"] for n in lab.status()["nodes"] if n["name"] == name]
    return (None if "ready" in states else True), str(states)


def serving(lab: Lab) -> tuple[bool | None, str]:
    missing = {s["name"]: s["missing"] for s in lab.status()["services"] if s["missing"]}
    return (None if missing else True), str(missing)
