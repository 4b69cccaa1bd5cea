"""What a machine knows of its own membership, over SSH."""

from __future__ import annotations

from collections.abc import Iterable

from swarmctl.reading.commands import word
from swarmctl.swarm.node import Node
from swarmctl.swarm.shell import CommandError, Shells

_ID = "timeout -k 5 20 docker info --format '{{.Swarm.NodeID}}'"
_TIMEOUT_S = 70.0


def leave(shells: Shells, node: Node) -> str:
    """Let a machine leave the Swarm; why it has not left yet, or ``""``.

    One that has joined anew, under another id, stays what it is. A manager that was demoted a
    moment ago takes itself for one a little longer, and refuses.

    Raises:
        SwarmctlError: it cannot be reached.
    """
    script = (
        f'own=$({_ID}) || {{ echo "its Engine does not answer" >&2; exit 1; }}\n'
        f'[ "$own" = {word(node.id)} ] || exit 0\n'
        "timeout -k 5 40 docker swarm leave\n"
    )
    try:
        shells.run(node.hostname, script, _TIMEOUT_S)
    except CommandError as fault:
        return fault.message
    return ""


def left_behind(shells: Shells, nodes: Iterable[Node]) -> tuple[str, ...]:
    """The ids of those entries under which their machine is not a member any more.

    Raises:
        SwarmctlError: a machine cannot be reached, or its Engine does not answer.
    """
    chosen = tuple(nodes)
    own = {name: _own_id(shells, name) for name in {node.hostname for node in chosen}}
    return tuple(node.id for node in chosen if node.id != own[node.hostname])


def _own_id(shells: Shells, name: str) -> str:
    """The id under which a machine is a member, or ``""``; one without Docker is none."""
    return shells.run(name, f"command -v docker >/dev/null || exit 0\n{_ID}\n").strip()
