"""Machines reach their metadata, DNS and the API at AWS's addresses; nobody else does."""

import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest
import requests

from swarmctl.errors import SwarmctlError
from swarmctl.lab import vpc_services
from swarmctl.lab.api import Api
from swarmctl.lab.vpc_services import Ports, VpcServices, resolver_of, translation
from swarmctl.wait import wait_for

# Addresses of loopback: this computer has them, and no instance does.
CIDR, GATEWAY = "127.82.0.0/16", "127.82.0.1"


class NoInstances:
    """An API without instances."""

    registry = SimpleNamespace(address="127.0.0.1:5000")

    def facts_at(self, vpc: str, address: str) -> None:
        return None

    def key_of(self, facts: object) -> None:
        """Nobody gets one."""

    def gate(self, hosts: object) -> object:
        return None


@pytest.fixture
def services() -> Iterator[VpcServices]:
    made = VpcServices(cast(Api, NoInstances()))
    yield made
    made.close_unused(set())


def test_a_machine_translates_awss_addresses_for_itself_and_its_containers() -> None:
    rules = translation("10.42.0.1", "10.42.0.2", Ports(1001, 1002, 1003, 1004))
    assert "ip daddr 169.254.169.254 tcp dport 80 dnat to 10.42.0.1:1001" in rules
    assert "ip daddr 169.254.170.1 tcp dport 80 dnat to 10.42.0.1:1002" in rules
    for protocol in ("udp", "tcp"):
        resolvers = "ip daddr { 10.42.0.2, 169.254.169.253 }"
        assert f"{resolvers} {protocol} dport 53 dnat to 10.42.0.1:1003" in rules
    assert "hook prerouting" in rules
    assert "hook output" in rules


def test_the_resolver_is_the_second_address_of_the_vpc() -> None:
    assert resolver_of("10.42.0.0/16") == "10.42.0.2"


def ports(rules: str) -> list[int]:
    """The ports for HTTP in the rules."""
    lines = [line for line in rules.splitlines() if "dport 80 " in line]
    return [int(line.rpartition(":")[2]) for line in lines]


def test_a_program_of_this_computer_gets_nothing(services: VpcServices) -> None:
    for port in ports(services.rules("vpc-1", CIDR)):
        answer = requests.get(f"http://{GATEWAY}:{port}/latest/meta-data/", timeout=60)
        assert (answer.status_code, answer.text) == (403, "")


def test_a_vpcs_services_are_opened_once_and_closed_with_it(services: VpcServices) -> None:
    rules = services.rules("vpc-1", CIDR)
    assert services.rules("vpc-1", CIDR) == rules
    services.close_unused({"vpc-1"})
    port = ports(rules)[0]
    socket.create_connection((GATEWAY, port), timeout=60).close()
    services.close_unused(set())

    def refused() -> tuple[bool | None, str]:
        try:
            socket.create_connection((GATEWAY, port), timeout=60).close()
        except ConnectionRefusedError:
            return True, "refused"
        return None, "somebody listens"

    # A process that is being started just then has a copy of the socket until it runs its program.
    wait_for("the port to be closed", refused, timeout=10)


def test_a_vpc_without_a_network_here_is_named(services: VpcServices) -> None:
    with pytest.raises(SwarmctlError, match=r"no services for vpc-9 on 192\.0\.2\.1"):
        services.rules("vpc-9", "192.0.2.0/24")


def test_what_is_open_is_closed_when_the_rest_cannot_be_opened(
    services: VpcServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: each attempt leaves two threads and their sockets."""

    def fail(*_: object) -> None:
        raise OSError("no port is free")

    monkeypatch.setattr(vpc_services, "ResolverServer", fail)
    for _ in range(3):
        with pytest.raises(SwarmctlError, match="no port is free"):
            services.rules("vpc-1", CIDR)
    left = [t for t in threading.enumerate() if t.name == f"vpc {GATEWAY}"]
    for thread in left:
        thread.join(5)
    assert not any(thread.is_alive() for thread in left)
