"""Entries of machines that do not exist any more: pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from swarmctl.cloud.instances import Instance
from swarmctl.own_machines import NOT_EC2
from swarmctl.reading.times import parse_time
from swarmctl.swarm.node import Node


@dataclass(frozen=True, slots=True)
class Finding:
    """A node that is down, and whether its entry may go.

    Attributes:
        node: the entry.
        orphan: whether its machine does not exist any more.
        why: or why not.
    """

    node: Node
    orphan: bool
    why: str


def find_orphans(
    nodes: Sequence[Node], instances: Sequence[Instance], now: datetime, grace: timedelta
) -> tuple[Finding, ...]:
    """What is known of every node that is down.

    An instance belongs to an entry when it has its name, or its address. When another entry of
    that name is not down, the machine has joined anew, and the old entry is left over.

    Args:
        nodes: all entries of the Swarm.
        instances: all machines of the cluster, whatever their state, without terminated ones.
        now: the managers' time.
        grace: how long an entry must have been as it is: EC2 and Swarm hear of news at other times.
    """
    down = [node for node in nodes if node.state == "down"]
    heirs = [node for node in nodes if node.state != "down"]
    return tuple(_finding(node, heirs, instances, now, grace) for node in down)


def _finding(
    node: Node,
    heirs: Sequence[Node],
    instances: Sequence[Instance],
    now: datetime,
    grace: timedelta,
) -> Finding:
    since = now - parse_time(node.updated_at)
    if since < grace:
        left = int((grace - since).total_seconds()) + 1
        return Finding(
            node, False, f"down for less than {grace.total_seconds():g} s; {left} s left"
        )
    heir = next((h for h in heirs if h.hostname == node.hostname), None)
    if heir:
        return Finding(node, True, f"its machine is a member as {heir.id}")
    members = {h.hostname for h in heirs}
    machine = next((i for i in instances if _belongs(i, node, members)), None)
    if machine:
        own = machine.unstoppable == NOT_EC2  # of whose power nothing is known
        state = "in the inventory" if own else machine.state
        return Finding(node, False, f"its instance {machine.id} is {state}")
    return Finding(node, True, f"no instance has its name or its address {node.address}")


def _belongs(instance: Instance, node: Node, members: Collection[str]) -> bool:
    """Whether this is the node's machine; not if another member has got its address since."""
    same_address = instance.private_ip == node.address and instance.name not in members
    return instance.name == node.hostname or same_address
