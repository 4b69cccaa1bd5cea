"""Publishes the catalogue in a Cloud Map namespace.

A service of Cloud Map cannot have A and SRV records together, so each name has two: ``web`` (A, or
AAAA) and ``_web._tcp`` (SRV). An instance's id is the endpoint's. Each instance has an attribute
with its owner, each service a tag: what another one owns is never changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from swarmctl.cloud.cloud_map import CloudMap, CloudService
from swarmctl.discovery.edition import Edition
from swarmctl.discovery.endpoint import Endpoint
from swarmctl.discovery.reconcile import Changes, Record, changes
from swarmctl.errors import SwarmctlError

OWNER = "swarmctl:owner"
# What is there is remembered between editions, and read anew after so long; after a failure, what
# failed.
READ_AGAIN_S = 300.0
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


@dataclass
class CloudMapListener:
    """Keeps a namespace in line with the catalogue.

    Args:
        cloud: the namespace.
        owner: who we are: the cluster's name.
        note: called with each change, before it is made.
    """

    cloud: CloudMap
    owner: str
    note: Callable[[str], None] = lambda _: None
    name: str = "cloud-map"
    refresh_s: float | None = READ_AGAIN_S
    clock: Callable[[], float] = time.monotonic
    _services: dict[str, CloudService] = field(default_factory=dict)
    _found: dict[tuple[str, str], Record] | None = None
    _read_at: float = 0.0
    _unknown: set[str] = field(default_factory=set)  # what was done is not known: read anew

    def publish(self, edition: Edition) -> None:
        """See :class:`swarmctl.discovery.listeners.listener.Listener`.

        All changes are begun before any is waited for: an operation takes seconds. One service that
        fails does not stop the others; the errors of all are raised at the end.
        """
        wanted, todo = self._wanted(edition), self.plan(edition)
        groups = sorted({record.group for record in (*todo.register, *todo.deregister)})
        begun: dict[str, tuple[Changes, list[str]]] = {}
        errors: dict[str, str] = {}
        for group in groups:
            mine = _of_group(todo, group)
            with _error_kept(errors, group):
                begun[group] = mine, self._begin(group, mine)
        for group, (mine, operations) in begun.items():
            with _error_kept(errors, group):
                self._end(mine, operations)
        self._remove_empty({record.group for record in wanted}, errors)
        self._unknown |= set(errors)
        errors |= {f"{r.group}/{r.id}": "registered by another owner" for r in todo.conflicts}
        self._unknown |= {record.group for record in todo.conflicts}
        if errors:
            raise SwarmctlError("; ".join(f"{what}: {error}" for what, error in errors.items()))

    def plan(self, edition: Edition) -> Changes:
        """What :meth:`publish` would change."""
        return changes(self._wanted(edition), self._read().values(), self.owner)

    def changes(self, edition: Edition) -> list[str]:
        """See :class:`swarmctl.discovery.listeners.listener.Publisher`."""
        todo = self.plan(edition)
        return [
            *(f"+ {r.group} {r.id}" for r in todo.register),
            *(f"- {r.group} {r.id}" for r in todo.deregister),
            *(f"! {r.group} {r.id}: registered by another owner" for r in todo.conflicts),
        ]

    def _wanted(self, edition: Edition) -> list[Record]:
        return [r for e in edition.catalogue.endpoints for r in records(e, self.owner)]

    def _read(self) -> dict[tuple[str, str], Record]:
        if self._found is None or self.clock() - self._read_at > READ_AGAIN_S:
            self._services = {service.name: service for service in self.cloud.services()}
            self._found = dict(self._read_groups(self._services))
            self._read_at = self.clock()
            self._unknown.clear()
        elif self._unknown:
            self._services = {service.name: service for service in self.cloud.services()}
            again = dict(self._read_groups(self._unknown & set(self._services)))
            kept = {k: r for k, r in self._found.items() if r.group not in self._unknown}
            self._found = kept | again
            self._unknown.clear()
        return self._found

    def _read_groups(self, names: Iterable[str]) -> Iterator[tuple[tuple[str, str], Record]]:
        """The instances of these services, by their keys."""
        for name in names:
            for instance in self.cloud.instances(self._services[name]):
                value = tuple(sorted(instance.attributes.items()))
                record = Record(name, instance.id, value, instance.attributes.get(OWNER, ""))
                yield record.key, record

    def _begin(self, group: str, todo: Changes) -> list[str]:
        """Begin the changes of a service: register first, so that a name is never empty between."""
        service = self._services.get(group)
        if service is None:
            kinds = {_record_type(record) for record in todo.register}
            self.note(f"+ service {group} ({', '.join(sorted(kinds))})")
            service = self._services[group] = self.cloud.create(group, kinds, self.owner)
        operations = []
        for record in todo.register:
            self.note(f"+ {group} {record.id}")
            operations.append(self.cloud.register(service, record.id, dict(record.value)))
        for record in todo.deregister:
            self.note(f"- {group} {record.id}")
            operations.append(self.cloud.deregister(service, record.id))
        return operations

    def _end(self, todo: Changes, operations: list[str]) -> None:
        """Wait for the changes, and remember what is there now."""
        for operation in operations:
            self.cloud.await_operation(operation)
        found = self._read()
        found.update({r.key: replace(r, owner=self.owner) for r in todo.register})
        for record in todo.deregister:
            found.pop(record.key, None)

    def _remove_empty(self, wanted: set[str], errors: dict[str, str]) -> None:
        """Remove our services that have no instance and that nothing wants."""
        used = {record.group for record in self._read().values()} | wanted
        for name in sorted(set(self._services) - used):
            with _error_kept(errors, name):
                if self.cloud.owner(self._services[name]) == self.owner:
                    self.note(f"- service {name}")
                    self.cloud.delete(self._services[name])
                del self._services[name]  # another owner's: not asked for until read anew


@contextmanager
def _error_kept(errors: dict[str, str], what: str) -> Iterator[None]:
    """Keep an error instead of raising it."""
    try:
        yield
    except SwarmctlError as fault:
        errors[what] = fault.message


def _of_group(todo: Changes, group: str) -> Changes:
    return Changes(
        tuple(r for r in todo.register if r.group == group),
        tuple(r for r in todo.deregister if r.group == group),
    )


def _record_type(record: Record) -> str:
    if record.group.startswith("_"):
        return "SRV"
    return "AAAA" if any(key == "AWS_INSTANCE_IPV6" for key, _ in record.value) else "A"
