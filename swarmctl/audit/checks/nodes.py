"""Nodes that are listed and not up, or that all keep silent."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts
from swarmctl.reading.commands import word

NAME = "nodes"
FINE = "every node is up"


def check(facts: Facts) -> Iterator[Check]:
    """Their tasks keep addresses for 24 h, and they hold up a CA rotation."""
    for node in facts.swarm.nodes:
        if not node.live:
            since = f" since {node.updated_at[:16]}" if node.updated_at else ""
            remedy = f"start its machine, or: docker node rm {word(node.id)}"
            yield Check(NAME, True, f"{node.name} is {node.state}{since}", remedy)
    # Else the audit would pass because nothing was heard.
    if facts.asked and facts.silent and not facts.nodes:
        host, why = min(facts.silent.items())
        yield Check(NAME, False, f"no node answers; {host}: {why}", "swarmctl status --deep")
