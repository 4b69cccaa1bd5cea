"""When the nodes' certificates end."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts

NAME = "certificates"
FINE = "every node renews its certificate in time"

# A node renews its own after 50 to 80 % of its life (swarmkit ca/renewer.go).
_LATE, _CRITICAL = 0.2, 0.05
_REMEDY = "on it: journalctl -u docker | grep -i certificate; docker swarm ca --rotate renews all"


def check(facts: Facts) -> Iterator[Check]:
    """A node whose certificate has ended is Down, and does not come back by itself."""
    for node, why in sorted(facts.silent.items()):
        yield Check(NAME, None, f"{node}: not known: {why}", "swarmctl status --deep")
    for node, told in sorted(facts.nodes.items()):
        if told.certificate is None:
            yield Check(NAME, None, f"{node}: its certificate could not be read", "docker info")
            continue
        begin, end = told.certificate
        left = (end - facts.now) / (end - begin)
        when = f"{end:%Y-%m-%d %H:%M} UTC"
        if left <= 0:
            yield Check(NAME, False, f"{node}: its certificate ended {when}", _REMEDY)
        elif left < _LATE:
            detail = f"{node}: its certificate ends {when}, and its renewal is late"
            yield Check(NAME, left >= _CRITICAL, detail, _REMEDY)
