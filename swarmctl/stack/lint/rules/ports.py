"""SW015 to SW017: ports that the routing mesh cannot publish as written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from swarmctl.reading.yaml_nodes import Path
from swarmctl.stack.compose.view import Port, Service, Stack
from swarmctl.stack.lint import facts
from swarmctl.stack.lint.phrases import joined
from swarmctl.stack.lint.rule import Context, Hit, Severity, rule


@rule("SW015", "dnsrr-ingress", Severity.ERROR, "dnsrr cannot be combined with an ingress port")
def dnsrr_ingress(stack: Stack, _: Context) -> Iterator[Hit]:
    """The routing mesh needs the service's virtual IP; dnsrr has none."""
    for service in stack.services:
        if service.text("deploy", "endpoint_mode") != "dnsrr":
            continue
        for port in _first_of_each_entry(service.ports):
            if port.spec.mode == "ingress":
                words = (
                    f"port {port.spec.target} is published in ingress mode, which the Engine "
                    "refuses with endpoint_mode: dnsrr; use mode: host or endpoint_mode: vip"
                )
                yield Hit(port.path, words)


def _first_of_each_entry(ports: Iterable[Port]) -> Iterator[Port]:
    """A range is one entry with several ports: report it once."""
    seen: set[Path] = set()
    for port in ports:
        if port.path not in seen:
            seen.add(port.path)
            yield port


@rule("SW016", "port-twice", Severity.ERROR, "an ingress port is published twice")
def port_twice(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """An ingress port belongs to one service of the whole Swarm."""
    seen: dict[str, str] = {}
    for service, port in _fixed(stack):
        first = seen.setdefault(port.key, service.name)
        if first != service.name:
            yield Hit(port.path, f"port {port.key} is also published by the service {first!r}")
    yield from _by_others(stack, swarm)
    yield from _in_snapshot(stack, swarm)


def _fixed(stack: Stack) -> Iterator[tuple[Service, Port]]:
    for service in stack.services:
        for port in service.ports:
            if port.spec.mode == "ingress" and port.spec.published:
                yield service, port


def _by_others(stack: Stack, swarm: Context) -> Iterator[Hit]:
    taken: dict[str, list[str]] = {}
    for other in swarm.others:
        for key in {port.key for _, port in _fixed(other)}:
            taken.setdefault(key, []).append(other.files[0].label)
    for _, port in _fixed(stack):
        if port.key in taken:
            words = (
                f"port {port.key} is also published in {joined(taken[port.key])}: one Swarm cannot "
                "run both"
            )
            yield Hit(port.path, words, severity=Severity.WARNING)


def _in_snapshot(stack: Stack, swarm: Context) -> Iterator[Hit]:
    if swarm.snapshot is None:
        return
    taken = {
        f"{port.published}/{port.protocol}": service.name
        for service in facts.foreign_services(stack, swarm.snapshot)
        for port in service.ports
        if port.mode == "ingress" and port.published
    }
    for _, port in _fixed(stack):
        if port.key in taken:
            words = f"port {port.key} is in use by the running service {taken[port.key]}"
            yield Hit(port.path, words)


@rule("SW017", "port-address", Severity.WARNING, "a port's host address is ignored")
def port_address(stack: Stack, _: Context) -> Iterator[Hit]:
    """``127.0.0.1:8080:80`` is open on all addresses in a Swarm."""
    for service in stack.services:
        for port in _first_of_each_entry(service.ports):
            if port.spec.host_ip in ("", "0.0.0.0"):  # noqa: S104 - read, not bound
                continue
            words = (
                f"docker stack ignores the address {port.spec.host_ip}: the port is open on all "
                "addresses of all nodes; block it in the firewall, or do not publish it"
            )
            yield Hit(port.path, words)
