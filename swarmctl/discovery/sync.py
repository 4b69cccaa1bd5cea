"""One pass of the listeners that publish in AWS."""

from __future__ import annotations

import time
from collections.abc import Callable

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.edition import follow
from swarmctl.discovery.listeners.aws import Aws
from swarmctl.discovery.listeners.cloud_map.service import OPERATION_S
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Swarm

_CHANGES = ("+", "~", "-")  # with which lines begin that say a change


def sync(
    swarm: Swarm,
    aws: Aws,
    owner: Callable[[], str],
    *,
    dry_run: bool,
    show: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Bring Cloud Map and the load balancer in line with a Swarm; returns the changes.

    One that fails does not stop the other. An agent that runs meanwhile does no harm.

    Args:
        swarm: a snapshot.
        aws: where to publish.
        owner: the Swarm's id.
        dry_run: only say what would be changed.
        show: called with each change before it is made, so that those before a failure are known
            too; in a dry run also with what is not possible.

    Raises:
        SwarmctlError: not all of it could be changed; says what.
    """
    changes: list[str] = []
    errors: list[str] = []

    def tell(line: str) -> None:
        is_change = line.partition(": ")[2][:1] in _CHANGES
        if is_change or dry_run:  # what goes wrong is in the error: it is not tried again here
            show(line)
        if is_change:
            changes.append(line)

    edition = follow(None, catalogue(swarm), (), time.time_ns() // 1_000_000)
    for each in aws.publishers(owner, tell, patience_s=OPERATION_S + 1):
        try:
            if dry_run:
                for line in each.changes(edition):
                    tell(f"{each.name}: {line}")
            else:
                each.publish(edition)
        except SwarmctlError as fault:
            errors.append(f"{each.name}: {fault.message}")
    if errors:
        raise SwarmctlError("; ".join(errors))
    return changes
