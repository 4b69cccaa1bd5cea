"""The nodes of a cluster by name, role and availability zone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def plan_nodes(
    cluster: str, managers: int, workers: int, zones: Sequence[str]
) -> list[dict[str, str]]:
    """Every node by name, round-robin over the zones; managers first.

    A node's zone depends on its own number alone: a node that is replaced after the number of
    managers or workers has changed returns to its zone. Workers begin at the second zone, so that
    one manager and three workers over three zones do not leave two zones with a single node.

    Returns:
        ``[{"name": …, "role": "manager"|"worker", "az": …}]``
    """
    kinds = (("mgr", "manager", managers, 0), ("wkr", "worker", workers, 1))
    return [
        {
            "name": f"{cluster}_{prefix}{number + 1}",
            "role": role,
            "az": zones[(first + number) % len(zones)],
        }
        for prefix, role, count, first in kinds
        for number in range(int(count))
    ]


def override_of(overrides: Mapping[str, Any], name: str, role: str) -> dict[str, Any]:
    """What a node has instead of the rest: of its group, its short name, its full name.

    Args:
        overrides: by ``managers``, ``workers``, ``wkr1`` or a full name; the later wins.
        name: the node's full name.
        role: ``manager`` or ``worker``.
    """
    found: dict[str, Any] = {}
    for key in (f"{role}s", name.rsplit("_", 1)[-1], name):
        found |= overrides.get(key) or {}
    return found


def block_devices(volumes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Extra disks as EC2 takes them: always encrypted, removed with the instance.

    Args:
        volumes: ``[{"device": "/dev/sdf", "size": GiB, "type": "gp3"}]``.
    """
    return [
        {
            "device_name": volume["device"],
            "ebs": {
                "volume_size": int(volume["size"]),
                "volume_type": volume.get("type", "gp3"),
                "encrypted": True,
                "delete_on_termination": True,
            },
        }
        for volume in volumes
    ]


def architecture(instance_type: str) -> str:
    """``arm64`` for AWS's own processors, which have a ``g`` behind the generation: ``t4g.small``.

    https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
    """
    return "arm64" if re.match(r"(a1|[a-z]+\d+[a-z]*g[a-z]*)\.", instance_type) else "x86_64"


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {
            "plan_nodes": plan_nodes,
            "override_of": override_of,
            "block_devices": block_devices,
            "architecture": architecture,
        }
