"""A Swarm of machines that are reached by SSH alone: no AWS, no credentials, an inventory file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from tests.lab.support import Lab, journal

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]

# The machines' owner makes them with these; nothing after that knows EC2.
MADE = ("-e", "cluster_name=bare", "-e", "vpc_cidr=10.96.0.0/16", "-e", "workers=2",
        "-e", '{"swarm_node_labels": {}}')  # fmt: skip


@dataclass(frozen=True)
class Own:
    """The cluster ``shop`` on machines of its owner, on a computer without AWS."""

    computer: Lab
    inventory: Path
    known_hosts: Path

    def playbook(self, name: str, *words: str) -> str:
        """Run a playbook with the inventory; its output if it succeeds."""
        run = self.computer.playbook(name, "-i", str(self.inventory), *words)
        return run.ok().output

    def refused(self, name: str, *words: str) -> str:
        """Run a playbook that must fail; its output."""
        run = self.computer.playbook(name, "-i", str(self.inventory), *words)
        assert run.code != 0, run.output[-3000:]
        return " ".join(run.output.split())


@pytest.fixture(scope="module")
def own(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    """Three machines with an SSH server each."""
    lab.playbook("provision", *MADE).ok()
    folder = tmp_path_factory.mktemp("own")
    state = Path(lab.env["SWARMCTL_STATE"]) / "clusters" / "bare"
    addresses = {name: lab.address(f"bare_{name}") for name in ("mgr1", "wkr1", "wkr2")}
    ids = {lab.instance(f"bare_{name}")["InstanceId"]: a for name, a in addresses.items()}
    lines = (line.split(" ", 1) for line in (state / "known_hosts").read_text().splitlines())
    known_hosts = folder / "known_hosts"
    known_hosts.write_text("".join(f"{ids[id_]} {key}\n" for id_, key in lines))
    inventory = folder / "hosts.yml"
    inventory.write_text(inventory_of(addresses, state / "id_ed25519"))
    env = {k: v for k, v in lab.env.items() if not k.startswith(("AWS_", "SWARMCTL_"))}
    env |= {"SWARMCTL_STATE": str(folder / "state"), "AWS_EC2_METADATA_DISABLED": "true"}
    try:
        yield Own(replace(lab, env=env), inventory, known_hosts)
    finally:
        lab.playbook("teardown", *MADE, "-e", "confirm=yes")


def inventory_of(addresses: dict[str, str], key: Path) -> str:
    """As a user writes it."""
    stack = {"name": "microservices", "secrets": ["microservices_auth_key"]}
    workers = {
        f"shop-{name}": {"ansible_host": addresses[name], "node_zone": f"room{number}"}
        for number, name in enumerate(("wkr1", "wkr2"), 1)
    }
    variables = {
        "provision": "none", "cluster_name": "shop", "ansible_user": "admin", "stacks": [stack],
        "ansible_ssh_private_key_file": str(key),
    }  # fmt: skip
    managers = {"hosts": {"shop-boss": {"ansible_host": addresses["mgr1"]}}}
    groups = {"managers": managers, "workers": {"hosts": workers}}
    return yaml.safe_dump({"all": {"vars": variables, "children": groups}})


def test_a_swarm_is_built_and_operated_without_aws(own: Own, tmp_path: Path) -> None:
    """Broken: whoever has machines but no EC2 cannot use any of it."""
    swarmctl = own.computer.swarmctl
    assert "so nothing connects" in own.refused("site")
    trusted = swarmctl("node", "trust", "--known-hosts", str(own.known_hosts))
    assert trusted.returncode == 0, trusted.stderr

    own.playbook("site")
    again = own.computer.playbook("site", "-i", str(own.inventory)).ok()
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

    runs = tmp_path / "runs"
    done = swarmctl("chaos", "run", "engine-stop", "--target", "shop-wkr2", "--yes",
                    "--runs-dir", str(runs))  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert journal(runs)["verdict"]["held"] is True

    off = swarmctl("chaos", "run", "instance-stop", "--target", "shop-wkr2", "--yes")
    assert off.returncode == 3, off.stdout + off.stderr
    assert "no instance of EC2" in off.stdout + off.stderr


def test_what_needs_ec2_is_refused_in_words(own: Own) -> None:
    """Broken: a run fails half-way with a traceback of boto3."""
    assert "the machines are your own" in own.refused("provision")
    assert "nothing was removed" in own.refused("teardown", "-e", "confirm=yes")
    words = json.dumps({"load_balancer_enabled": True, "registry": "ecr"})
    refused = own.refused("site", "-e", words)
    assert "load_balancer_enabled needs AWS" in refused
    assert "registry is ecr, which needs AWS" in refused
