"""From endpoints to instances of Cloud Map: pure.

A service of Cloud Map cannot have A and SRV records together, so each name has two: ``web`` (A, or
AAAA) and ``_web._tcp`` (SRV). An instance's id is the endpoint's. Each instance has an attribute
with its owner, each service a tag: what another one owns is never changed or removed. A service
that another one made under a wanted name is shared: our instances are registered in it beside its.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from swarmctl.cloud.cloud_map import CloudInstance
from swarmctl.discovery.endpoint import Endpoint
from swarmctl.discovery.reconcile import Record

OWNER = "swarmctl:owner"
PROTOCOLS = ("tcp", "udp", "sctp")


def srv_group(name: str, protocol: str) -> str:
    """The service that has a name's ports."""
    return f"_{name}._{protocol}"


def groups(endpoint: Endpoint) -> tuple[str, str]:
    """The services that an endpoint is in: one for its address, one for its port."""
    return endpoint.name, srv_group(endpoint.name, endpoint.protocol)


def records(endpoint: Endpoint, owner: str) -> Iterator[Record]:
    """The instances of an endpoint: one in each of its services."""
    family = "AWS_INSTANCE_IPV6" if ":" in endpoint.address else "AWS_INSTANCE_IPV4"
    attributes = {
        family: endpoint.address,
        "AWS_INSTANCE_PORT": str(endpoint.port),
        OWNER: owner,
        "service": endpoint.service,
        "stack": endpoint.stack,
        "node": endpoint.node,
        "zone": endpoint.zone,
        "version": endpoint.version,
    }
    value = tuple(sorted((key, text) for key, text in attributes.items() if text))
    for group in groups(endpoint):
        yield Record(group, endpoint.id, value, owner)


def by_group(endpoints: Iterable[Endpoint], owner: str) -> dict[str, list[Record]]:
    """The records of endpoints, by service."""
    found: dict[str, list[Record]] = {}
    for endpoint in endpoints:
        for record in records(endpoint, owner):
            found.setdefault(record.group, []).append(record)
    return found


def ids_by_group(endpoints: Iterable[Endpoint]) -> dict[str, frozenset[str]]:
    """The ids of endpoints, by service."""
    found: dict[str, set[str]] = {}
    for endpoint in endpoints:
        for group in groups(endpoint):
            found.setdefault(group, set()).add(endpoint.id)
    return {group: frozenset(ids) for group, ids in found.items()}


def as_record(group: str, instance: CloudInstance) -> Record:
    """An instance that is there."""
    value = tuple(sorted(instance.attributes.items()))
    return Record(group, instance.id, value, instance.attributes.get(OWNER, ""))


def record_types(group: str, wanted: Iterable[Record]) -> list[str]:
    """The types of the DNS records of a service."""
    if group.startswith("_"):
        return ["SRV"]
    keys = {key for record in wanted for key, _ in record.value}
    kinds = {"A": "AWS_INSTANCE_IPV4", "AAAA": "AWS_INSTANCE_IPV6"}
    return [kind for kind, key in kinds.items() if key in keys]
