"""Credentials with which nodes pull, and their age."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts
from swarmctl.prefetch.plan import pulls
from swarmctl.reading.times import parse_time
from swarmctl.registry.reference import DOCKER_HUB, host_of
from swarmctl.registry.renewed import HOST, LIFE, RENEWED
from swarmctl.swarm.model import Service

NAME = "credentials"
FINE = "no pull credentials have ended, or will soon"

# A renewal that is this late is not coming: it is due after half of a token's life.
_LATE = 0.75

_REMEDY = "swarmctl registry refresh"


def check(facts: Facts) -> Iterator[Check]:
    """Swarm stores them with the service, and a dead node's replicas pull with what it stored."""
    for service in facts.services:
        host = host_of(service.image)
        if host and service.labels.get(HOST) == host:
            yield from _renewed(facts, service, host)
        elif host not in ("", DOCKER_HUB) and _without(facts, service):
            detail = (
                f"{service.name}: nothing tells when its pull credentials for {host} were renewed: "
                "it was deployed by hand, or needs none"
            )
            yield Check(NAME, None, detail, "deploy it with swarmctl stack deploy")


def _renewed(facts: Facts, service: Service, host: str) -> Iterator[Check]:
    life = facts.token_life.get(host, LIFE)
    if life is None:  # a password
        return
    try:
        age = facts.now - parse_time(service.labels.get(RENEWED, ""))
    except ValueError:
        detail = f"{service.name}: its label {RENEWED} is no time"
        yield Check(NAME, None, detail, _REMEDY)
        return
    what = f"{service.name}: pull credentials for {host}"
    if age >= life:
        ended = f"{what} ended {_words(age - life)} ago"
        if nodes := _without(facts, service):
            yield Check(NAME, False, f"{ended}, and {', '.join(nodes)} would have to pull", _REMEDY)
        else:
            yield Check(
                NAME, True, f"{ended}; every node has the image, a new one would not", _REMEDY
            )
    elif age > _LATE * life:
        detail = f"{what} end in {_words(life - age)}, and their renewal is late"
        yield Check(NAME, True, detail, _REMEDY)


def _without(facts: Facts, service: Service) -> list[str]:
    """The nodes that may run it and, as far as is known, do not have its image."""
    return [pull.node for pull in pulls(facts.swarm, [service])]


def _words(time: timedelta) -> str:
    minutes, seconds = divmod(int(time.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
