"""What AWS offers inside a VPC at fixed addresses: metadata and DNS, and in the lab the AWS API.

The lab's process listens on the VPC's gateway address, which is this computer's, on any free ports.
A machine reaches it at AWS's addresses, because its own firewall table translates them. Nobody else
is answered: metadata and API know the instances of the VPC by their addresses, DNS the VPC's range.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from swarmctl.errors import SwarmctlError
from swarmctl.lab.api import Api
from swarmctl.lab.firewall import gateway_of
from swarmctl.lab.metadata.service import MetadataService
from swarmctl.lab.registry.serving import translation as registry_translation
from swarmctl.lab.resolver.server import ResolverServer

if TYPE_CHECKING:
    from werkzeug.serving import BaseWSGIServer

log = logging.getLogger(__name__)

METADATA = "169.254.169.254"
DNS = "169.254.169.253"  # and the second address of the VPC
# Not AWS's: there, the API has public names. Link-local, so that it is the same in every lab.
API = "169.254.170.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the lab's process listens, on the gateway's address."""

    metadata: int
    api: int
    dns: int
    registry: int


def translation(gateway: str, resolver: str, ports: Ports, registry: str = "") -> str:
    """The nftables table by which a machine and its containers reach the services. Pure."""
    resolvers = f"ip daddr {{ {resolver}, {DNS} }}"
    return "\n".join(
        [
            "table ip lab_vpc_services",
            "delete table ip lab_vpc_services",
            "table ip lab_vpc_services {",
            "  chain translate {",
            f"    ip daddr {METADATA} tcp dport 80 dnat to {gateway}:{ports.metadata}",
            f"    ip daddr {API} tcp dport 80 dnat to {gateway}:{ports.api}",
            f"    {resolvers} udp dport 53 dnat to {gateway}:{ports.dns}",
            f"    {resolvers} tcp dport 53 dnat to {gateway}:{ports.dns}",
            "  }",
            "  chain containers {",
            "    type nat hook prerouting priority dstnat; policy accept;",
            "    jump translate",
            "  }",
            "  chain machine {",
            "    type nat hook output priority -100; policy accept;",
            "    jump translate",
            "  }",
            *registry_translation(registry, gateway, ports.registry),
            "}",
            "",
        ]
    )


def resolver_of(cidr: str) -> str:
    """The address of a VPC's resolver: the second of its network.

    https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
    """
    return str(ip_network(cidr)[2])


@dataclass(frozen=True, slots=True)
class _Opened:
    ports: Ports
    close: Callable[[], None]


class VpcServices:
    """The open services of a lab's VPCs."""

    def __init__(self, api: Api) -> None:
        """Open nothing yet; ``api`` answers all questions."""
        self._api = api
        self._lock = threading.Lock()
        self._open: dict[str, _Opened] = {}

    def rules(self, vpc: str, cidr: str) -> str:
        """The rules for a machine of a VPC, whose services are opened unless they are.

        The VPC's network must exist: the gateway's address must be this computer's.

        Raises:
            SwarmctlError: they cannot be opened.
        """
        gateway = gateway_of(cidr)
        with self._lock:
            if vpc not in self._open:
                try:
                    self._open[vpc] = self._start(vpc, cidr)
                except OSError as error:
                    raise SwarmctlError(f"no services for {vpc} on {gateway}: {error}") from error
                log.info("services of %s on %s: %s", vpc, gateway, self._open[vpc].ports)
            return translation(
                gateway, resolver_of(cidr), self._open[vpc].ports, self._api.registry.address
            )

    def resolv_conf(self, vpc: str, cidr: str) -> str:
        """``/etc/resolv.conf`` of a machine, as DHCP makes it on EC2."""
        domain = self._api.names_in(vpc).domain.rstrip(".")
        return f"search {domain}\nnameserver {resolver_of(cidr)}\n"

    def close_unused(self, vpcs: set[str]) -> None:
        """Close the services of all VPCs except those in ``vpcs``."""
        with self._lock:
            gone = [self._open.pop(vpc) for vpc in set(self._open) - vpcs]
        for services in gone:
            services.close()

    def _start(self, vpc: str, cidr: str) -> _Opened:
        gateway = gateway_of(cidr)
        metadata = MetadataService(
            lambda address: self._api.facts_at(vpc, address), self._api.key_of
        )
        gate = self._api.gate(lambda: (API,))

        def for_instances(app: Callable[..., Any]) -> Callable[..., Any]:
            def answer(environ: dict[str, Any], start_response: Any) -> Any:
                if self._api.facts_at(vpc, str(environ["REMOTE_ADDR"])) is None:
                    start_response("403 Forbidden", [("Content-Length", "0")])
                    return [b""]
                return app(environ, start_response)

            return answer

        apps = (metadata, for_instances(gate), for_instances(self._api.registry))
        with ExitStack() as opened:  # closes what is open if the rest cannot be opened
            http = [_serve(gateway, app, opened) for app in apps]
            resolver = ResolverServer(
                gateway,
                lambda: self._api.names_in(vpc),
                lambda address: ip_address(address) in ip_network(cidr) and address != gateway,
            )
            opened.callback(resolver.close)
            ports = Ports(http[0].port, http[1].port, resolver.port, http[2].port)
            return _Opened(ports, opened.pop_all().close)


def _serve(address: str, app: Callable[..., Any], opened: ExitStack) -> BaseWSGIServer:
    from swarmctl.lab.http_server import http_server

    server = http_server(address, 0, app)
    opened.callback(server.server_close)
    threading.Thread(target=server.serve_forever, daemon=True, name=f"vpc {address}").start()
    opened.callback(server.shutdown)
    return server
