"""Asks Cloud Map what it tells its clients."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from swarmctl.cloud.cloud_map import CloudInstance, CloudMap, CloudService
from swarmctl.discovery.check.source import Published
from swarmctl.discovery.listeners.cloud_map.records import PROTOCOLS, groups, srv_group
from swarmctl.discovery.listeners.sockets import Place
from swarmctl.errors import SwarmctlError


@dataclass
class CloudMapSource:
    """See :class:`swarmctl.discovery.check.source.Source`.

    It names each endpoint twice: ``web`` (addresses) and ``_web._tcp`` (SRV).

    Args:
        open_namespace: connects to the namespace.
        owner: of what the agent makes: the Swarm's id.
    """

    open_namespace: Callable[[], CloudMap]
    owner: str
    name: str = "Cloud Map"
    # One call for each service; a namespace allows 1,000 a second.
    # https://docs.aws.amazon.com/cloud-map/latest/dg/throttling.html
    every_s: float = 0.5
    _cloud: CloudMap | None = None

    def ask(self, names: Collection[str]) -> Published:
        """What its services name: those of these names, and any other that the agent made."""
        ours = {name for each in names for name in (each, *(srv_group(each, p) for p in PROTOCOLS))}
        try:
            self._cloud = cloud = self._cloud or self.open_namespace()
            places = {
                service.name: frozenset(map(_place, cloud.discover(service)))
                for service in cloud.services()
                if service.name in ours or self._made(cloud, service)
            }
        except SwarmctlError as fault:
            return Published(self.name, fault=f"cannot be asked: {fault.message}", names=groups)
        return Published(self.name, places, names=groups)

    def _made(self, cloud: CloudMap, service: CloudService) -> bool:
        """Whether it is a service that the agent made and that nothing wants any more."""
        return cloud.owner(service) == self.owner


def _place(instance: CloudInstance) -> str:
    found = instance.attributes
    address = found.get("AWS_INSTANCE_IPV4") or found.get("AWS_INSTANCE_IPV6", "")
    return str(Place(address, int(found.get("AWS_INSTANCE_PORT", 0))))
