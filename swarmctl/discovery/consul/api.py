"""Consul's HTTP API as a function from an edition and a request to an answer. Pure.

Waiting for a change, and sending, is :mod:`swarmctl.discovery.consul.http`'s part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from swarmctl.discovery.consul import filters, key_values
from swarmctl.discovery.consul.bodies import Bodies, raft_address
from swarmctl.discovery.consul.identity import Identity
from swarmctl.discovery.edition import Edition
from swarmctl.discovery.endpoint import Endpoint, Member

Query = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: JSON, or a text or bytes as they are."""

    status: int
    body: Any
    json: bool = True


@dataclass(frozen=True, slots=True)
class _Request:
    bodies: Bodies
    edition: Edition
    identity: Identity
    query: Query
    name: str = ""  # the last part of the path

    def value(self, key: str) -> str:
        return next(iter(self.query.get(key, ())), "")

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints of the name in the path, with the tags of the query, nearest first."""
        named = self.edition.catalogue.named(self.name)
        return self.nearest(tuple(e for e in named if self.wants(e)))

    def wants(self, endpoint: Endpoint) -> bool:
        tags = {tag.lower() for tag in endpoint.tags}
        return all(tag.lower() in tags for tag in self.query.get("tag", ())) and self.has_meta(
            self.bodies.member_of(endpoint)
        )

    def has_meta(self, member: Member) -> bool:
        """Whether a node has the query's ``node-meta``, each ``key:value``."""
        meta = self.bodies.node(member)["Meta"]
        pairs = (pair.partition(":") for pair in self.query.get("node-meta", ()))
        return all(meta.get(key) == value for key, _, value in pairs)

    def nearest(self, endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
        """The node of ``?near=`` first, then its zone: Swarm knows no round-trip times."""
        near = self.value("near")
        members = self.edition.catalogue.members
        here = next((m for m in members if near and near in (m.name, m.id)), None)
        if here is None:
            return endpoints
        return tuple(sorted(endpoints, key=lambda e: (e.node != here.name, e.zone != here.zone)))


def answer(edition: Edition, path: str, query: Query, identity: Identity) -> Answer:
    """What Consul would answer to ``GET path``.

    Args:
        edition: what is published.
        path: decoded, with the leading ``/v1/``.
        query: the decoded values of each parameter.
        identity: the names we go by.
    """
    if (dc := next(iter(query.get("dc", ())), "")) not in ("", identity.datacenter):
        return Answer(500, f"No path to datacenter {dc!r}; there is {identity.datacenter}", False)
    request = _Request(Bodies(edition, identity), edition, identity, query)
    try:
        return _route(request, path)
    except filters.FilterError as fault:
        return Answer(400, f"Failed to create boolean expression evaluator: {fault}", False)


def _route(request: _Request, path: str) -> Answer:
    if path.startswith("/v1/kv/"):
        return _key_value(request, path.removeprefix("/v1/kv/"))
    if path in _PLAIN:
        return _filtered(request, _PLAIN[path](request))
    stem, _, name = path.rpartition("/")
    if stem in _NAMED and name:
        named = replace(request, name=name)
        return _filtered(named, _NAMED[stem](named))
    return Answer(404, "not offered: this is a read-only part of Consul's API", False)


def _filtered(request: _Request, body: Any) -> Answer:
    """The body, without the entries that ``?filter=`` leaves out."""
    expression = request.value("filter")
    if not expression or not isinstance(body, list):
        return Answer(200, body)
    test = filters.parse(expression)
    return Answer(200, [item for item in body if test(item)])


def _key_value(request: _Request, key: str) -> Answer:
    found = key_values.answer(request.edition.keys, key, request.query)
    if found is None:
        return Answer(404, "", False)
    return Answer(200, found, json=not isinstance(found, bytes))


def _services(request: _Request) -> Any:
    """``{"name": [tags]}``; the filter is one over the catalogue's entries."""
    endpoints = [e for e in request.edition.catalogue.endpoints if request.wants(e)]
    if expression := request.value("filter"):
        test = filters.parse(expression)
        endpoints = [e for e in endpoints if test(request.bodies.catalog_service(e))]
    found: dict[str, dict[str, None]] = {}
    for endpoint in endpoints:
        found.setdefault(endpoint.name, {}).update(dict.fromkeys(endpoint.tags))
    return {name: list(tags) for name, tags in found.items()}


def _nodes(request: _Request) -> Any:
    members = request.edition.catalogue.members
    return [request.bodies.node(member) for member in members if request.has_meta(member)]


def _services_of_node(request: _Request) -> Any:
    member = _member(request)
    if member is None:
        return None
    services = [
        request.bodies.service(e)
        for e in request.edition.catalogue.endpoints
        if e.node == member.name
    ]
    return {"Node": request.bodies.node(member), "Services": {s["ID"]: s for s in services}}


def _checks_of_node(request: _Request) -> Any:
    member = _member(request)
    checks = request.bodies.checks(request.edition.catalogue.endpoints)
    return [check for check in checks if member and check["Node"] == member.name]


def _checks_in_state(request: _Request) -> Any:
    checks = request.bodies.checks(request.edition.catalogue.endpoints)
    return [check for check in checks if request.name in ("any", check["Status"])]


def _member(request: _Request) -> Member | None:
    members = request.edition.catalogue.members
    return next((m for m in members if request.name in (m.name, m.label, m.id)), None)


def _leader(request: _Request) -> Any:
    members = request.edition.catalogue.members
    return next((raft_address(m) for m in members if m.leader), "")


def _peers(request: _Request) -> Any:
    return [raft_address(m) for m in request.edition.catalogue.members if m.role == "manager"]


def _self(request: _Request) -> Any:
    identity = request.identity
    return {
        "Config": {
            "Datacenter": identity.datacenter,
            "PrimaryDatacenter": identity.datacenter,
            "NodeName": identity.node,
            "NodeID": identity.node,
            "Revision": "",
            "Server": False,
            "Version": identity.version,
        },
        "DebugConfig": {},
        "Coord": None,
        "Member": {"Name": identity.node, "Tags": {"dc": identity.datacenter}, "Status": 1},
        "Stats": {"agent": {}, "runtime": {}, "build": {"version": identity.version}},
        "Meta": {"read-only": "true", "source": "docker-swarm"},
    }


_PLAIN: Mapping[str, Callable[[_Request], Any]] = {
    "/v1/catalog/datacenters": lambda request: [request.identity.datacenter],
    "/v1/catalog/services": _services,
    "/v1/catalog/nodes": _nodes,
    "/v1/agent/members": lambda request: [
        request.bodies.agent_member(m) for m in request.edition.catalogue.members
    ],
    "/v1/agent/self": _self,
    "/v1/status/leader": _leader,
    "/v1/status/peers": _peers,
}
_NAMED: Mapping[str, Callable[[_Request], Any]] = {
    "/v1/catalog/service": lambda request: [
        request.bodies.catalog_service(e) for e in request.endpoints
    ],
    "/v1/catalog/node": _services_of_node,
    "/v1/health/service": lambda request: [request.bodies.health(e) for e in request.endpoints],
    "/v1/health/checks": lambda request: [
        request.bodies.service_check(e) for e in request.endpoints
    ],
    "/v1/health/node": _checks_of_node,
    "/v1/health/state": _checks_in_state,
}
