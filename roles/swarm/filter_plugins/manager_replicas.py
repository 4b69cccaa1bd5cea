"""Whether managers take replicas, and the label that says so. The role sets it; deploys obey it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

LABEL, NONE = "swarmctl.replicas", "none"
# From here on a manager can be lost: then the work of the majority is worth more than its room.
ENOUGH = 3


def manager_replica_updates(nodes: Sequence[Mapping[str, Any]], run_tasks: Any) -> list[list[str]]:
    """What to change at which manager: arguments of ``docker node update``.

    Args:
        nodes: the Swarm's nodes, as the Engine API lists them.
        run_tasks: ``auto``, true or false; ``auto`` is true below three managers, and where there
            is no worker.
    """
    managers = [node for node in nodes if node["Spec"]["Role"] == "manager"]
    if str(run_tasks).lower() == "auto":
        takes = len(managers) < ENOUGH or len(managers) == len(nodes)
    else:
        takes = boolean(run_tasks)
    labels = {node["ID"]: node["Spec"].get("Labels") or {} for node in managers}
    if takes:
        return [["--label-rm", LABEL, node] for node, known in labels.items() if LABEL in known]
    add = ["--label-add", f"{LABEL}={NONE}"]
    return [[*add, node] for node, known in labels.items() if known.get(LABEL) != NONE]


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {"manager_replica_updates": manager_replica_updates}
