"""Images that are not where replicas may have to go."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts
from swarmctl.prefetch.plan import pulls
from swarmctl.reading.commands import word

NAME = "images"
FINE = "every image is on every node that may run it"


def check(facts: Facts) -> Iterator[Check]:
    """A replica that has to pull is lost if the registry, or its credentials, are gone."""
    kept = [s for s in facts.services if not s.is_job and facts.swarm.wanted(s)]
    known = pulls(facts.swarm, kept, unknown=False)
    absent: dict[tuple[str, str], list[str]] = {}
    for pull in known:
        for service in pull.services:
            absent.setdefault((service, pull.image), []).append(pull.node)
    for (service, image), nodes in sorted(absent.items()):
        detail = f"{service}: would have to pull {image.partition('@')[0]} on {', '.join(nodes)}"
        yield Check(NAME, False, detail, f"swarmctl image prefetch {word(service)}")
    unknown = {p.node for p in pulls(facts.swarm, kept)} - {p.node for p in known}
    for node in sorted(unknown):
        detail = f"{node}: its images are not known: {facts.silent.get(node, 'it was not asked')}"
        yield Check(NAME, None, detail, "swarmctl status --deep")
