"""A Swarm of machines that are reached by SSH alone: no AWS, no credentials, an inventory file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarmctl.wait import wait_for
from tests.lab.support import Lab, healthy, journal
from tests.lab.test_2_static.own import Own, inventory, machines, own_computer

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]

# Those that docs/operations/own-machines.md names.
FAULTS = ("engine-stop", "engine-kill", "partition")

MADE = {"cluster_name": "bare", "vpc_cidr": "10.96.0.0/16", "managers": 1, "workers": 2}
STACK = {"name": "microservices", "secrets": ["microservices_auth_key"]}


@pytest.fixture(scope="module")
def own(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    """Three machines with an SSH server each."""
    folder = tmp_path_factory.mktemp("own")
    with machines(lab, folder, MADE) as made:
        boss = {"shop-boss": {"ansible_host": made.addresses["mgr1"]}}
        workers = {
            f"shop-{name}": {"ansible_host": made.addresses[name], "node_zone": f"room{number}"}
            for number, name in enumerate(("wkr1", "wkr2"), 1)
        }
        written = folder / "hosts.yml"
        written.write_text(inventory(made.key, boss, workers, stacks=[STACK]))
        yield Own(own_computer(lab, folder), written, made)


def test_a_swarm_is_built_and_operated_without_aws(own: Own, tmp_path: Path) -> None:
    """Broken: whoever has machines but no EC2 cannot use any of it."""
    swarmctl = own.computer.swarmctl
    assert "so nothing connects" in own.refused("site")
    trusted = swarmctl("node", "trust", "--known-hosts", str(own.machines.known_hosts))
    assert trusted.returncode == 0, trusted.stderr

    assert "found the Swarm" in own.playbook("site", "--check").output
    own.playbook("site")
    again = own.playbook("site")
    assert (again.changed, again.changes) == (0, [])

    status = own.computer.status()
    nodes = {n["name"]: n for n in status["nodes"]}
    assert status["healthy"], status
    assert set(nodes) == {"shop-boss", "shop-wkr1", "shop-wkr2"}
    assert nodes["shop-wkr2"]["labels"]["az"] == "room2"
    assert status["not_members"] == []

    drained = swarmctl("node", "drain", "shop-wkr1", "--yes")
    assert drained.returncode == 0, drained.stderr
    returned = swarmctl("node", "activate", "shop-wkr1")
    assert returned.returncode == 0, returned.stderr

    for fault in FAULTS:
        runs = tmp_path / fault
        done = swarmctl("chaos", "run", fault, "--target", "shop-wkr2", "--yes",
                        "--runs-dir", str(runs))  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert journal(runs)["verdict"]["held"] is True

    off = swarmctl("chaos", "run", "instance-stop", "--target", "shop-wkr2", "--yes")
    assert off.returncode == 3, off.stdout + off.stderr
    assert "no instance of EC2" in off.stdout + off.stderr


def test_a_machine_leaves_and_joins_again_and_keys_are_rotated(own: Own) -> None:
    """Broken: the Swarm can be built without AWS, and then not be looked after."""
    own.playbook("rotate", "-e", "what=tokens")
    own.playbook("upgrade", "--check")
    own.playbook("unlock")
    left = own.computer.swarmctl("node", "remove", "shop-wkr2", "--yes", "--force")
    assert left.returncode == 0, left.stdout + left.stderr
    assert {n["name"] for n in own.computer.status()["nodes"]} == {"shop-boss", "shop-wkr1"}
    own.playbook("site")
    own.playbook("reap_nodes", "-e", "reap_grace=1")
    wait_for("the Swarm to be whole", lambda: healthy(own.computer), timeout=120, interval=1)
    assert len(own.computer.status()["nodes"]) == 3


def test_a_lost_swarm_comes_back_from_a_backup(own: Own, tmp_path: Path) -> None:
    """Broken: restore asks EC2 for machines that it does not have."""
    made = own.computer.swarmctl("backup", "key", "-o", str(tmp_path / "key"))
    assert made.returncode == 0, made.stderr
    known = {"backup_to": str(tmp_path), "backup_recipients": [made.stdout.strip()]}
    words = ("-e", json.dumps(known), "-e", f"backup_identity_file={tmp_path / 'key'}")
    own.playbook("backup", *words, "-e", "backup_stop_the_only_manager=true")
    before = {n["name"]: n["id"] for n in own.computer.status()["nodes"]}
    own.playbook("backup", *words, "-e", "backup_stop_the_only_manager=true", "--check")
    bucket = ("-e", '{"backup_to": "s3://nowhere/shop"}')
    assert "no AWS" in own.refused("backup", *words, *bucket)

    own.on(own.machines.addresses["mgr1"], "sudo docker swarm leave --force")
    own.playbook("restore", *words, "-e", "backup=latest")
    wait_for("the Swarm to be whole", lambda: healthy(own.computer), timeout=180, interval=1)
    assert {n["name"]: n["id"] for n in own.computer.status()["nodes"]} == before


def test_what_needs_ec2_is_refused_in_words(own: Own) -> None:
    """Broken: a run fails half-way with a traceback of boto3."""
    assert "the machines are your own" in own.refused("provision")
    assert "the machines are your own" in own.refused("replace_node", "-e", "node=shop-wkr1")
    assert "the machines are your own" in own.refused("site", "-e", "allow_shrink=true")
    assert "their SSH key is your own" in own.refused("rotate", "-e", "what=ssh_key")
    assert "nothing was removed" in own.refused("teardown", "-e", "confirm=yes")
    words = json.dumps({"swarm_autolock": True})
    assert "swarm_unlock_key_store is ssm" in own.refused("site", "-e", words)
    words = json.dumps({"load_balancer_enabled": True, "registry": "ecr"})
    refused = own.refused("site", "-e", words)
    assert "load_balancer_enabled needs AWS" in refused
    assert "registry is ecr, which needs AWS" in refused
