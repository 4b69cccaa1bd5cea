"""Machines of an owner, and a computer without AWS that works on them with an inventory file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tests.lab.support import Lab, Playbook


@dataclass(frozen=True)
class Machines:
    """What their owner knows of them.

    Attributes:
        addresses: by the name that they were made under, without the cluster's.
        key: the private key that logs in to them.
        known_hosts: their host keys by address.
    """

    addresses: dict[str, str]
    key: Path
    known_hosts: Path


@dataclass(frozen=True)
class Own:
    """The cluster ``shop`` on machines of its owner, on a computer without AWS."""

    computer: Lab
    inventory: Path
    machines: Machines

    def playbook(self, name: str, *words: str) -> Playbook:
        """Run a playbook with the inventory; it must succeed."""
        return self.computer.playbook(name, "-i", str(self.inventory), *words).ok()

    def refused(self, name: str, *words: str) -> str:
        """Run a playbook that must fail; its output."""
        run = self.computer.playbook(name, "-i", str(self.inventory), *words)
        assert run.code != 0, run.output[-3000:]
        return " ".join(run.output.split())

    def on(self, address: str, command: str) -> str:
        """Run a command on a machine, as its owner; what it prints."""
        known = f"UserKnownHostsFile={self.machines.known_hosts}"
        words = ("-o", known, "-i", str(self.machines.key), f"admin@{address}", command)
        done = self.computer.run("ssh", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def machines(lab: Lab, folder: Path, settings: dict[str, Any]) -> Iterator[Machines]:
    """Machines with an SSH server each; nothing but their making knows EC2.

    Args:
        lab: that makes them.
        folder: for ``known_hosts``.
        settings: of the cluster that they are in EC2.
    """
    cluster = settings["cluster_name"]
    made = ("-e", json.dumps({"swarm_node_labels": {}} | settings))
    roles = {"mgr": settings["managers"], "wkr": settings["workers"]}
    names = [f"{role}{number}" for role in roles for number in range(1, roles[role] + 1)]
    try:
        lab.playbook("provision", *made).ok()
        state = Path(lab.env["SWARMCTL_STATE"]) / "clusters" / cluster
        addresses = {name: lab.address(f"{cluster}_{name}") for name in names}
        ids = {lab.instance(f"{cluster}_{n}")["InstanceId"]: a for n, a in addresses.items()}
        lines = (line.split(" ", 1) for line in (state / "known_hosts").read_text().splitlines())
        known_hosts = folder / "known_hosts"
        known_hosts.write_text("".join(f"{ids[id_]} {key}\n" for id_, key in lines))
        yield Machines(addresses, state / "id_ed25519", known_hosts)
    finally:
        lab.playbook("teardown", *made, "-e", "confirm=yes")


def own_computer(lab: Lab, folder: Path) -> Lab:
    """A computer without AWS and without any state yet."""
    env = {k: v for k, v in lab.env.items() if not k.startswith(("AWS_", "SWARMCTL_"))}
    env |= {"SWARMCTL_STATE": str(folder / "state"), "AWS_EC2_METADATA_DISABLED": "true"}
    return replace(lab, env=env)


def inventory(key: Path, managers: Any, workers: Any, **variables: Any) -> str:
    """As a user writes it, with the hosts of each group."""
    variables = {
        "provision": "none", "cluster_name": "shop", "ansible_user": "admin",
        "ansible_ssh_private_key_file": str(key),
    } | variables  # fmt: skip
    groups = {"managers": {"hosts": managers}, "workers": {"hosts": workers}}
    return yaml.safe_dump({"all": {"vars": variables, "children": groups}})
