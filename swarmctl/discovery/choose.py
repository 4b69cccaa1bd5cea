"""The endpoints of one service, as a user names it."""

from __future__ import annotations

from swarmctl.discovery.endpoint import Catalogue, Endpoint
from swarmctl.errors import UsageError
from swarmctl.reading.names import unknown


def choose(found: Catalogue, name: str) -> tuple[Endpoint, ...]:
    """The endpoints of a name; none if the service is known, but does not serve or publish.

    Raises:
        UsageError: there is no service of that name.
    """
    if endpoints := found.named(name):
        return endpoints
    if name in found.services or name in found.unpublished:
        return ()
    raise _unknown(found, name)


def _unknown(found: Catalogue, name: str) -> UsageError:
    return unknown("service", name, {*found.services, *(e.name for e in found.endpoints)})
