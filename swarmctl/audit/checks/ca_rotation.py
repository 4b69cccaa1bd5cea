"""A rotation of the Swarm's root certificate that does not end."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts
from swarmctl.reading.commands import word

NAME = "ca-rotation"
FINE = "one root certificate, on every node"


def check(facts: Facts) -> Iterator[Check]:
    """It ends when every node has a new certificate; one that is down holds it up for ever."""
    if facts.rotation is None:
        yield Check(
            NAME, None, "the managers do not tell about their root certificate", "docker info"
        )
        return
    old = [
        node
        for node in facts.swarm.nodes
        if facts.issuers.get(node.id) and facts.issuers[node.id] != facts.issuer
    ]
    if facts.rotation:
        for node in (n for n in old if not n.live):
            detail = f"a CA rotation is stuck: {node.name} is {node.state}, with an old certificate"
            yield Check(NAME, False, detail, f"start it, or: docker node rm {word(node.id)}")
        if all(node.live for node in old):
            names = ", ".join(node.name for node in old) or "the managers"
            detail = f"a CA rotation is under way; it waits for {names}"
            yield Check(NAME, True, detail, "run this again in a minute")
        return
    for node in old:
        detail = f"{node.name}: its certificate is of another root than the managers'"
        remedy = (
            "let it leave and join: docker swarm leave, then ansible-playbook playbooks/swarm.yml"
        )
        yield Check(NAME, False, detail, remedy)
