"""The nodes to lose, by hostname, id or availability zone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from swarmctl.errors import UsageError
from swarmctl.reading.names import unknown
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.node import ZONE_LABEL, Node, find_node


def lost_nodes(swarm: Swarm, names: Iterable[str], zone: str | None) -> list[str]:
    """The ids of the nodes to lose.

    Args:
        swarm: a snapshot.
        names: full or short names, or ids; several may be in one, separated by commas.
        zone: an availability zone (label ``az``): all of its nodes.

    Raises:
        UsageError: a node or zone is unknown.
    """
    wanted = [name.strip() for item in names for name in item.split(",") if name.strip()]
    chosen = [find_node(swarm.nodes, name).id for name in wanted]
    if zone is not None:
        chosen += [node.id for node in _in_zone(swarm.nodes, zone)]
    return list(dict.fromkeys(chosen))


def _in_zone(nodes: Sequence[Node], zone: str) -> list[Node]:
    zones = {n.zone for n in nodes if n.zone}
    if not zones:
        raise UsageError(
            f"no node has a label {ZONE_LABEL!r}, so zones are unknown",
            f"docker node update --label-add {ZONE_LABEL}=ZONE NODE; playbooks/swarm.yml does so",
        )
    if zone not in zones:
        raise unknown("availability zone", zone, zones)
    return [n for n in nodes if n.zone == zone]
