"""Names that commands have seen, for the completion of command lines.

``clusters/<name>/names.json`` in the state directory. Completion must answer at once, so it reads
this file and never asks EC2 or a node; the names are those of the last command that looked.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from swarmctl.state import cluster_dir, state_dir

if TYPE_CHECKING:
    from swarmctl.swarm.model import Swarm

_FILE = "names.json"
# Shells evaluate what a completion prints, and others choose the names of nodes and services.
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def remember(cluster: str, swarm: Swarm) -> None:
    """Keep the names in a Swarm; a file that cannot be written is no error.

    Args:
        cluster: its name; ``""`` if it is not known: then nothing is kept.
        swarm: a snapshot.
    """
    folder = cluster_dir(cluster)
    if not cluster or not folder.is_dir():
        return
    names = {
        "nodes": safe(node.hostname for node in swarm.nodes),
        "services": safe(service.name for service in swarm.services),
        "stacks": safe(service.stack for service in swarm.services),
        "zones": safe(node.labels.get("az", "") for node in swarm.nodes),
    }
    if names == _read(cluster):
        return
    from swarmctl.reading.files import PRIVATE, write_whole

    with contextlib.suppress(OSError):
        write_whole(folder / _FILE, json.dumps(names), PRIVATE)


def clusters() -> list[str]:
    """The clusters that this machine has keys or names of."""
    return safe(path.name for path in (state_dir() / "clusters").glob("*"))


def known(kind: str, cluster: str | None = None) -> list[str]:
    """Names that were seen.

    Args:
        kind: ``nodes``, ``services``, ``stacks`` or ``zones``.
        cluster: of this cluster only; ``None`` for all.
    """
    names = [cluster] if cluster else clusters()
    return safe(name for one in names for name in _read(one).get(kind, ()))


def _read(cluster: str) -> dict[str, Collection[str]]:
    if not _SAFE.fullmatch(cluster):
        return {}
    try:
        found = json.loads((cluster_dir(cluster) / _FILE).read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {kind: names for kind, names in found.items() if isinstance(names, list)}


def safe(names: Iterable[object]) -> list[str]:
    """Those of the names that a shell cannot mistake for a command, each once, sorted."""
    return sorted({name for name in names if isinstance(name, str) and _SAFE.fullmatch(name)})
