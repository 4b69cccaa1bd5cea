"""Room on the nodes' disks."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts

NAME = "disk"
FINE = "every node has room for containers and images"

# A share of the disk; and what an image, its containers and the managers' log need at least.
_SCARCE, _FULL, _LEAST = 0.10, 0.05, 1 << 30
_REMEDY = "on it: docker system df; docker system prune removes what no container uses"


def check(facts: Facts) -> Iterator[Check]:
    """On a full disk no container starts, and a manager's log is damaged (swarmkit#2959)."""
    for node, why in sorted(facts.silent.items()):
        yield Check(NAME, None, f"{node}: not known: {why}", "swarmctl status --deep")
    for node, told in sorted(facts.nodes.items()):
        if told.disk is None:
            yield Check(NAME, None, f"{node}: it did not tell its free space", "df on it")
            continue
        share = told.disk.free / max(1, told.disk.total)
        what = f"{node}: {told.disk.free / 2**30:.1f} GiB free ({share:.0%})"
        if share < _FULL or told.disk.free < _LEAST:
            yield Check(NAME, False, what, _REMEDY)
        elif share < _SCARCE:
            yield Check(NAME, True, what, _REMEDY)
        if told.inodes and told.inodes.free < _FULL * told.inodes.total:
            detail = f"{node}: {told.inodes.free} of {told.inodes.total} inodes free"
            yield Check(NAME, False, detail, _REMEDY)
