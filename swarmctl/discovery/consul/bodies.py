"""Endpoints and nodes as Consul's HTTP API writes them. Pure.

https://developer.hashicorp.com/consul/api-docs/catalog and …/health; fields that Consul always
sends are always there, because clients read them without asking.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from swarmctl.discovery.consul.identity import Identity
from swarmctl.discovery.edition import Edition
from swarmctl.discovery.endpoint import Endpoint, Member

Json = dict[str, Any]

GOSSIP_PORT = 7946  # Swarm's own; Consul shows its agents' gossip port here
RAFT_PORT = 2377


class Bodies:
    """Consul's JSON for one edition.

    Args:
        edition: what is published.
        identity: the datacentre's name.
    """

    def __init__(self, edition: Edition, identity: Identity) -> None:
        self._edition, self._identity = edition, identity
        self._members = {member.name: member for member in edition.catalogue.members}

    def member_of(self, endpoint: Endpoint) -> Member:
        """The node of an endpoint."""
        return self._members[endpoint.node]

    def node(self, member: Member) -> Json:
        """A node, as the catalogue and ``Node`` of the health API show it."""
        return {
            "ID": member.id,
            "Node": member.name,
            "Address": member.address,
            "Datacenter": self._identity.datacenter,
            "TaggedAddresses": _addresses(member.address),
            "Meta": {"zone": member.zone, "role": member.role},
            "CreateIndex": 1,
            "ModifyIndex": 1,
        }

    def service(self, endpoint: Endpoint) -> Json:
        """``Service`` of the health API, and of the services of a node."""
        index = self._edition.since.get(endpoint.id, self._edition.index)
        return {
            "ID": endpoint.id,
            "Service": endpoint.name,
            "Tags": list(endpoint.tags),
            "Address": endpoint.address,
            "TaggedAddresses": {
                name: {"Address": endpoint.address, "Port": endpoint.port}
                for name in _addresses(endpoint.address)
            },
            "Meta": _meta(endpoint),
            "Port": endpoint.port,
            "Weights": {"Passing": 1, "Warning": 1},
            "EnableTagOverride": False,
            "Proxy": {"Mode": "", "MeshGateway": {}, "Expose": {}},
            "Connect": {},
            "PeerName": "",
            "CreateIndex": index,
            "ModifyIndex": index,
        }

    def catalog_service(self, endpoint: Endpoint) -> Json:
        """An entry of ``/v1/catalog/service/NAME``."""
        node, service = self.node(self.member_of(endpoint)), self.service(endpoint)
        return {
            **{key: node[key] for key in ("ID", "Node", "Address", "Datacenter")},
            "TaggedAddresses": node["TaggedAddresses"],
            "NodeMeta": node["Meta"],
            "ServiceKind": "",
            "ServiceID": service["ID"],
            "ServiceName": service["Service"],
            "ServiceTags": service["Tags"],
            "ServiceAddress": service["Address"],
            "ServiceTaggedAddresses": service["TaggedAddresses"],
            "ServiceWeights": service["Weights"],
            "ServiceMeta": service["Meta"],
            "ServicePort": service["Port"],
            "ServiceSocketPath": "",
            "ServiceEnableTagOverride": False,
            "ServiceProxy": service["Proxy"],
            "ServiceConnect": {},
            "ServiceLocality": None,
            "CreateIndex": service["CreateIndex"],
            "ModifyIndex": service["ModifyIndex"],
        }

    def health(self, endpoint: Endpoint) -> Json:
        """An entry of ``/v1/health/service/NAME``."""
        member = self.member_of(endpoint)
        return {
            "Node": self.node(member),
            "Service": self.service(endpoint),
            "Checks": [self.node_check(member), self.service_check(endpoint)],
        }

    def node_check(self, member: Member) -> Json:
        """Whether Swarm's managers can talk to a node."""
        words = "the managers can talk to it" if member.live else "the managers call it down"
        return self._check(
            member.name, "serfHealth", "Serf Health Status", words, passing=member.live
        )

    def service_check(self, endpoint: Endpoint) -> Json:
        """The check of an endpoint: it exists only while it passes."""
        words = "the task runs, is healthy (if it has a health check) and is on a live node"
        check = self._check(
            endpoint.node, f"service:{endpoint.id}", f"Service '{endpoint.name}' check", words
        )
        return check | {
            "ServiceID": endpoint.id,
            "ServiceName": endpoint.name,
            "ServiceTags": list(endpoint.tags),
        }

    def checks(self, endpoints: Iterable[Endpoint]) -> list[Json]:
        """All checks: the nodes', then those endpoints'."""
        nodes = [self.node_check(member) for member in self._members.values()]
        return nodes + [self.service_check(endpoint) for endpoint in endpoints]

    def agent_member(self, member: Member) -> Json:
        """An entry of ``/v1/agent/members``."""
        role = {"role": "consul"} if member.role == "manager" else {"role": "node"}
        return {
            "Name": member.name,
            "Addr": member.address,
            "Port": GOSSIP_PORT,
            "Tags": role | {"dc": self._identity.datacenter, "id": member.id, "az": member.zone},
            "Status": 1 if member.live else 4,  # serf: alive, failed
            "ProtocolMin": 1,
            "ProtocolMax": 5,
            "ProtocolCur": 2,
            "DelegateMin": 2,
            "DelegateMax": 5,
            "DelegateCur": 4,
        }

    def _check(
        self, node: str, check_id: str, name: str, output: str, *, passing: bool = True
    ) -> Json:
        return {
            "Node": node,
            "CheckID": check_id,
            "Name": name,
            "Status": "passing" if passing else "critical",
            "Notes": "",
            "Output": output,
            "ServiceID": "",
            "ServiceName": "",
            "ServiceTags": [],
            "Type": "",
            "Interval": "",
            "Timeout": "",
            "ExposedPort": 0,
            "Definition": {},
            "CreateIndex": 1,
            "ModifyIndex": 1,
        }


def raft_address(member: Member) -> str:
    """A manager's address as ``/v1/status/leader`` shows it."""
    host = f"[{member.address}]" if ":" in member.address else member.address
    return f"{host}:{RAFT_PORT}"


def _addresses(address: str) -> dict[str, str]:
    family = "ipv6" if ":" in address else "ipv4"
    return dict.fromkeys(("lan", f"lan_{family}", "wan", f"wan_{family}"), address)


def _meta(endpoint: Endpoint) -> dict[str, str]:
    """Consul's values are texts; Nomad marks its services by the same first key."""
    return {
        "external-source": "docker-swarm",
        "service": endpoint.service,
        "stack": endpoint.stack,
        "task": endpoint.task,
        "slot": str(endpoint.slot),
        "version": endpoint.version,
        "zone": endpoint.zone,
        "target": str(endpoint.target),
        "protocol": endpoint.protocol,
        "mode": endpoint.mode,
    }
