"""What the managers knew before and forgot: pure, from one snapshot to the next.

- When a node renews its session (a change of leader, a new root certificate), dynamic host ports of
  its tasks vanish from the managers' answers (``PortStatus {}``; of which, and why, is in
  docs/discovery.md), while the containers go on listening. A task's ports never change, so they are
  kept by its id.
- After an election, the new leader calls every node ``unknown`` until it has heard from it, and
  one told to find another manager is ``disconnected`` meanwhile (swarmkit
  manager/dispatcher/dispatcher.go). That is no news of the node: it keeps its state, or all
  endpoints would be gone for seconds while all replicas serve. Swarm itself ends both states after
  its grace period: the node is ready or down then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from swarmctl.swarm.model import Port, Swarm
from swarmctl.swarm.observe.host_ports import with_known


@dataclass(frozen=True, slots=True)
class Memory:
    """Ports by task id; nodes' last known states by id."""

    ports: Mapping[str, tuple[Port, ...]] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)


def complete(swarm: Swarm, memory: Memory) -> tuple[Swarm, Memory]:
    """The snapshot with what was forgotten, and what to remember for the next one.

    Args:
        swarm: as the managers describe it now.
        memory: of the snapshot before; empty at the start.
    """
    nodes = tuple(
        replace(node, state=memory.states[node.id])
        if node.unheard and node.id in memory.states
        else node
        for node in swarm.nodes
    )
    tasks = tuple(with_known(task, memory.ports.get(task.id, ())) for task in swarm.tasks)
    kept = Memory(
        {task.id: task.ports for task in tasks if task.ports and task.meant_to_run},
        {node.id: node.state for node in nodes},
    )
    return replace(swarm, nodes=nodes, tasks=tasks), kept
