"""A node that is in no Swarm any more gets in again by a run of the playbook."""

from __future__ import annotations

import pytest

from swarmctl.wait import wait_for
from tests.lab.support import CLUSTER, Lab, healthy
from tests.lab.test_6_membership.conftest import members

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
WORKER, MANAGER = f"{CLUSTER}_wkr3", f"{CLUSTER}_mgr1"


def test_a_node_that_its_swarm_has_forgotten_leaves_and_joins_anew(lab: Lab) -> None:
    """Broken: it stays in the state `error` until somebody logs in to it."""
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=120, interval=1)
    lab.ssh(WORKER, "sudo systemctl stop docker.socket docker")
    lab.ssh(MANAGER, f"docker node rm --force {WORKER}")
    lab.ssh(WORKER, "sudo systemctl start docker")
    wait_for("it to be outside", lambda: outside(lab), timeout=120, interval=1)

    run = lab.playbook("swarm").ok()

    said = " ".join(run.output.split())
    assert f"to visit: {WORKER} (not in the Swarm)" in said
    assert f"{MANAGER} confirms 3 of 4 nodes: no visit" in said
    assert members(lab, "worker") == {"wkr1", "wkr2", "wkr3"}
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=120, interval=1)
    again = lab.playbook("swarm").ok()
    assert again.changed == 0, again.changes
    assert f"{MANAGER} confirms 4 of 4 nodes: no visit" in " ".join(again.output.split())


def outside(lab: Lab) -> tuple[bool | None, str]:
    state = lab.ssh(WORKER, "docker info --format '{{.Swarm.LocalNodeState}}'").stdout.strip()
    return state in ("error", "pending") or None, state
