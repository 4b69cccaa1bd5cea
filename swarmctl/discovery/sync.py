"""One pass of the Cloud Map listener."""

from __future__ import annotations

import time

from swarmctl.cloud.cloud_map import CloudMap
from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.edition import follow
from swarmctl.discovery.listeners.cloud_map import CloudMapListener
from swarmctl.swarm.model import Swarm


def sync(swarm: Swarm, namespace: str, owner: str, *, dry_run: bool) -> list[str]:
    """Bring a namespace in line with a Swarm; returns the changes.

    Args:
        swarm: a snapshot.
        namespace: its name.
        owner: the Swarm's id.
        dry_run: only say what would be changed.

    Raises:
        SwarmctlError: not all of it could be changed; says what.
    """
    lines: list[str] = []
    listener = CloudMapListener(CloudMap(namespace), owner, lines.append)
    edition = follow(None, catalogue(swarm), (), time.time_ns() // 1_000_000)
    if dry_run:
        todo = listener.plan(edition)
        return [
            *(f"+ {r.group} {r.id}" for r in todo.register),
            *(f"- {r.group} {r.id}" for r in todo.deregister),
            *(f"! {r.group} {r.id}: registered by another owner" for r in todo.conflicts),
        ]
    listener.publish(edition)
    return lines
