"""From Debian 12's Engine (20.10.24) to Debian 13's (26.1.5), with a user sending requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from swarmctl.discovery.leaving import DRAINING_LABEL
from swarmctl.moves.earlier import EARLIER_LABEL
from swarmctl.wait import wait_for
from tests.lab.helpers.balanced import Balancer
from tests.lab.helpers.killed_run import killed_at
from tests.lab.helpers.requests_a_second import requests_a_second
from tests.lab.support import CLUSTER, Lab, Playbook, healthy
from tests.lab.test_6_upgrade.conftest import upgrade

RATE = 20
OLD, NEW = "20.10.24+dfsg1", "26.1.5+dfsg1"
NODES = [f"{CLUSTER}_{short}" for short in ("mgr1", "mgr2", "mgr3", "wkr1", "wkr2", "wkr3")]
DRAINED = f"{CLUSTER}_wkr3"  # by an operator, before the upgrade
KILLED_AT = (
    "TASK [swarm_node : Drain the node]",
    "TASK [docker_engine : Upgrade the packages of the Engine]",
    "TASK [swarm_node : Give the nodes back",
)
HOUR = 60 * 60

pytestmark = [pytest.mark.long, pytest.mark.timeout(HOUR)]


def running(lab: Lab) -> dict[str, str]:
    """The version of each node's Engine, as the Engine itself says."""
    ask = "docker version --format '{{.Server.Version}}'"
    return {name: lab.ssh(name, ask).stdout.strip() for name in NODES}


def states(lab: Lab) -> dict[str, str]:
    return {n["name"]: n["availability"] for n in lab.status()["nodes"]}


def order(run: Playbook) -> list[str]:
    """The nodes in the order in which the plan names them."""
    lines = [line.split() for line in run.output.splitlines() if "→" in line]
    return [words[1] for words in lines if words[0].rstrip(".").isdecimal()]


def test_check_mode_shows_order_and_versions_and_changes_nothing(
    lab: Lab, balancer: Balancer
) -> None:
    """Broken: an operator cannot see what will be drained before it is."""
    leader = next(n["name"] for n in lab.status()["nodes"] if n["leader"])

    shown = upgrade(lab, "--check").ok()

    steps = order(shown)
    assert steps[:3] == [f"{CLUSTER}_wkr{number}" for number in (1, 2, 3)]
    assert steps[-1] == leader
    assert f"Engine {OLD} → {NEW}" in shown.output
    assert "shop_web" in shown.output, "where its replicas go"
    assert set(running(lab).values()) == {OLD}
    assert set(states(lab).values()) == {"active"}


def test_a_version_that_the_archive_does_not_have_is_refused_before_anything_is_drained(
    lab: Lab, balancer: Balancer
) -> None:
    """Broken: the first node is drained, and waits for a package that does not exist."""
    refused = upgrade(lab, "-e", "engine_version=27.0.0")

    assert refused.code != 0
    assert "no Engine 27.0.0 in the archive; it has 26.1.5" in " ".join(refused.output.split())
    assert set(states(lab).values()) == {"active"}


def test_a_failing_upgrade_stops_at_the_first_node_and_the_next_run_goes_on(
    lab: Lab, balancer: Balancer
) -> None:
    """Broken: one bad package takes the whole cluster's Engines down, one by one."""
    first = f"{CLUSTER}_wkr1"
    lab.ssh(first, "sudo chmod a-x /usr/bin/dpkg-deb")
    with requests_a_second(balancer.address, "/", RATE) as requests:
        failed = upgrade(lab)
    lab.ssh(first, "sudo chmod a+x /usr/bin/dpkg-deb")

    assert failed.code != 0
    assert "run the playbook again" in " ".join(failed.output.split())
    assert {name for name, state in states(lab).items() if state == "drain"} == {first}
    assert running(lab) == dict.fromkeys(NODES, OLD)
    wait_for("every replica", lambda: healthy(lab), timeout=60)
    assert requests.lost == []


def test_three_kills_and_a_drained_node_and_no_request_is_lost(
    lab: Lab, balancer: Balancer, record_property: Callable[[str, object], None]
) -> None:
    """Broken: users see errors in an upgrade; a dead terminal leaves nodes drained for ever."""
    done = lab.swarmctl("node", "drain", DRAINED, "--yes", timeout=400)
    assert done.returncode == 0, done.stderr
    every_task = replace(lab, env=lab.env | {"ANSIBLE_STDOUT_CALLBACK": "default"})
    with requests_a_second(balancer.address, "/", RATE) as requests:
        for task in KILLED_AT:
            killed_at(every_task, task, "upgrade")
        last = upgrade(lab).ok()
    record_property("requests", f"{requests.sent}, lost: {len(requests.lost)}")

    assert requests.lost == []
    assert requests.sent > 60 * RATE
    assert running(lab) == dict.fromkeys(NODES, NEW)
    assert states(lab) == dict.fromkeys(NODES, "active") | {DRAINED: "drain"}
    labels = {n["name"]: n["labels"] for n in lab.status()["nodes"]}
    assert not [name for name in NODES if EARLIER_LABEL in labels[name]]
    assert [name for name in NODES if DRAINING_LABEL in labels[name]] == [DRAINED]
    assert last.changed > 0
    again = upgrade(lab).ok()
    assert again.changed == 0, again.changes
    assert "skipped, nothing to do" in again.output
