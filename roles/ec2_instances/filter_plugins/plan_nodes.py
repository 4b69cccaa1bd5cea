"""The nodes of a cluster by name, role and availability zone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {"plan_nodes": plan_nodes}
