"""One check: everything is read, and read again where there is a disagreement.

While the Swarm changes, sources that are read one after the other differ for a moment; only what
two readings have in common counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.check.ask import ask_consul, ask_dns, ask_endpoints
from swarmctl.discovery.check.compare import Disagreement, compare
from swarmctl.discovery.endpoint import Catalogue
from swarmctl.discovery.listeners.sockets import Place
from swarmctl.swarm.model import Swarm


@dataclass(frozen=True, slots=True)
class Checked:
    """The result."""

    catalogue: Catalogue
    requested: int
    disagreements: tuple[Disagreement, ...]


def check(
    snapshot: Callable[[], Swarm],
    http: Place,
    dns: Place,
    domain: str,
    settle: float,
    pause: Callable[[float], None] = time.sleep,
) -> Checked:
    """Compare the Swarm with the Consul API, DNS and a real request to each endpoint.

    Args:
        snapshot: the Swarm now, with host ports that the managers forgot.
        http: where the Consul API listens.
        dns: where DNS listens.
        domain: that DNS answers for.
        settle: seconds between two readings.
        pause: replaced in tests.

    Raises:
        SwarmctlError: the Swarm cannot be read.
    """
    first = _read(snapshot(), http, dns, domain)
    if not first.disagreements:
        return first
    pause(settle)
    second = _read(snapshot(), http, dns, domain)
    lasting = set(first.disagreements)
    return Checked(
        second.catalogue,
        second.requested,
        tuple(each for each in second.disagreements if each in lasting),
    )


def _read(swarm: Swarm, http: Place, dns: Place, domain: str) -> Checked:
    found = catalogue(swarm)
    consul = ask_consul(http)
    names = {*consul.places, *(endpoint.name for endpoint in found.endpoints)}
    published = (consul, ask_dns(dns, domain, names))
    answers = ask_endpoints(found.endpoints)
    return Checked(found, len(answers), compare(swarm, found, published, answers))
