"""Which nodes an experiment takes away: by name, or drawn from a seed anyone can repeat."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from swarmctl.errors import UsageError, unknown
from swarmctl.swarm.model import Node, Swarm

ROLES = ("worker", "manager")


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user asked for.

    Args:
        names: hostnames; when given, nothing is drawn.
        role: draw among the nodes of this role.
        count: how many to draw.
        seed: what the draw is made from; equal seeds on equal Swarms draw equal nodes.
    """

    names: tuple[str, ...] = ()
    role: str = "worker"
    count: int = 1
    seed: int | None = None

    def parameters(self) -> dict[str, Any]:
        """What a journal keeps, enough to select the same nodes again."""
        if self.names:
            return {"target": list(self.names)}
        return {"role": self.role, "count": self.count, "seed": self.seed}


def new_seed() -> int:
    """A seed for a draw, short enough to be typed again."""
    return secrets.randbelow(1_000_000)


def choose(swarm: Swarm, selection: Selection) -> tuple[Node, ...]:
    """The nodes a selection means in this Swarm.

    Raises:
        UsageError: an unknown node or role, or more nodes asked for than there are.
    """
    if selection.names:
        return _named(swarm, selection.names)
    if selection.seed is None:
        raise ValueError("a draw needs a seed")
    return _drawn(swarm, selection.role, selection.count, selection.seed)


def _named(swarm: Swarm, names: Sequence[str]) -> tuple[Node, ...]:
    by_name = {node.hostname: node for node in swarm.nodes}
    # A machine that joined anew leaves its old, dead entry behind under the same name.
    by_name |= {node.hostname: node for node in swarm.nodes if node.live}
    for name in names:
        if name not in by_name:
            raise unknown("node", name, by_name)
    return tuple(by_name[name] for name in dict.fromkeys(names))


def _drawn(swarm: Swarm, role: str, count: int, seed: int) -> tuple[Node, ...]:
    if role not in ROLES:
        raise unknown("role", role, ROLES)
    if count < 1:
        raise UsageError(f"cannot lose {count} nodes", "--count starts at 1")
    # Sorted by name: the order the managers list nodes in differs from one request to the next.
    pool = sorted((n for n in swarm.nodes if n.role == role), key=lambda n: (n.hostname, n.id))
    if count > len(pool):
        names = ", ".join(node.hostname for node in pool) or "none"
        raise UsageError(
            f"cannot draw {count} {role} nodes from {len(pool)}", f"{role} nodes: {names}"
        )
    draw = random.Random(seed).sample(pool, count)  # noqa: S311  repeatable on purpose
    return tuple(sorted(draw, key=lambda node: node.hostname))
