"""Clusters whose machines are not EC2's: the playbooks record those of the inventory.

``clusters/<name>/machines.json`` in the state directory, written by ``playbooks/nodes.yml`` where
``provision`` is ``none``. With it, commands find the managers as they find EC2's by tag; what only
EC2 can do is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from swarmctl.cloud.instances import Cloud, Instance
from swarmctl.cloud.security_groups import SecurityGroups
from swarmctl.errors import SwarmctlError
from swarmctl.state import machines_file, state_dir

NOT_EC2 = "no instance of EC2: its power is not swarmctl's to switch"


class OwnMachines(Cloud):
    """The recorded machines, in the place of EC2."""

    def __init__(self) -> None:
        """Nothing is read yet."""
        self.region = "the inventory"

    def clusters(self) -> tuple[str, ...]:
        """The clusters that have a record on this machine."""
        return tuple(sorted(p.parent.name for p in state_dir().glob("clusters/*/machines.json")))

    def instances(self, cluster: str) -> tuple[Instance, ...]:
        """The machines of a cluster, managers first.

        Raises:
            SwarmctlError: the record cannot be read.
        """
        path = machines_file(cluster)
        if not path.is_file():
            return ()
        try:
            return tuple(_machine(raw, cluster) for raw in json.loads(path.read_text()))
        except (OSError, ValueError, TypeError, KeyError) as fault:
            raise SwarmctlError(
                f"cannot read {path}: {fault or type(fault).__name__}",
                "delete it and run playbooks/swarm.yml with your inventory, which writes it anew",
            ) from fault

    def state(self, instance_id: str) -> str:
        """Nothing is known of its power; a machine that does not answer is found over SSH."""
        del instance_id
        return "running"

    def security_groups(self, cluster: str, instances: Iterable[Instance]) -> SecurityGroups:
        """None."""
        del cluster, instances
        return {}

    def stop(self, instance_id: str, force: bool = False) -> None:
        """Refused."""
        del force
        _refuse(instance_id)

    def terminate(self, instance_id: str) -> None:
        """Refused."""
        _refuse(instance_id)

    def reboot(self, instance_id: str) -> None:
        """Refused."""
        _refuse(instance_id)

    def start(self, instance_id: str) -> None:
        """Refused."""
        _refuse(instance_id)

    def console(self, instance_id: str) -> str:
        """Refused."""
        _refuse(instance_id)

    def not_running(self, instance_ids: Iterable[str]) -> dict[str, str]:
        """None that is known of."""
        del instance_ids
        return {}


def _refuse(machine: str) -> NoReturn:
    raise SwarmctlError(
        f"{machine} is {NOT_EC2}",
        "use a fault that leaves the machine running: engine-stop, partition",
    )


def _machine(raw: Mapping[str, Any], cluster: str) -> Instance:
    private, address = str(raw["private_ip"]), str(raw["address"])
    return Instance(
        id=str(raw["id"]),
        name=str(raw["name"]),
        role=str(raw["role"]),
        state="running",
        private_ip=private,
        public_ip="" if address == private else address,
        az=str(raw["az"]),
        ssh_user=str(raw["user"]),
        cluster=cluster,
        unstoppable=NOT_EC2,
        ssh_port=int(raw["port"]),
        ssh_key=str(raw["key"]),
        ssh_jump=str(raw["jump"]),
    )
