"""SW053 to SW055: more demand than nodes, now or after one of them has died. Need a snapshot."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.stack.compose.view import Port, Service, Stack
from swarmctl.stack.lint import facts, room
from swarmctl.stack.lint.phrases import count
from swarmctl.stack.lint.rule import Context, Hit, Severity, rule


@rule("SW053", "host-ports", Severity.ERROR, "more tasks on a host port than nodes")
def host_ports(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """A host port is free once a node, so each of its tasks needs a node of its own."""
    if swarm.snapshot is None:
        return
    for key, users in _host_port_users(stack).items():
        eligible = {
            node.id for service, _ in users for node in facts.eligible(service, swarm.snapshot)
        }
        wanted = sum(
            len(eligible) if service.is_global else service.replicas for service, _ in users
        )
        names = " and ".join(repr(service.name) for service, _ in users)
        verb = "wants" if len(users) == 1 else "want"
        words = f"{names} {verb} port {key} of {count(wanted, 'node')}, and {len(eligible)} may run"
        yield from _short(wanted, len(eligible), words, users[0][1], users[0][0])


def _host_port_users(stack: Stack) -> dict[str, list[tuple[Service, Port]]]:
    users: dict[str, list[tuple[Service, Port]]] = {}
    for service in stack.services:
        for port in service.ports:
            if port.spec.mode == "host" and port.spec.published:
                users.setdefault(port.key, []).append((service, port))
    return users


def _short(wanted: int, there: int, words: str, port: Port, service: Service) -> Iterator[Hit]:
    if wanted > there:
        yield Hit(port.path, f"{words} them: {count(wanted - there, 'task')} stay pending")
    elif wanted == there and not service.is_global and there:
        words = f"{words} them: when one dies, its task finds no other"
        yield Hit(port.path, words, severity=Severity.WARNING)


@rule("SW054", "max-replicas", Severity.ERROR, "max_replicas_per_node allows fewer than wanted")
def max_replicas(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """The limit times the eligible nodes must hold all replicas, also with a node less."""
    if swarm.snapshot is None:
        return
    for service in stack.services:
        limit = service.whole("deploy", "placement", "max_replicas_per_node")
        if not limit or limit < 0 or service.is_global:
            continue
        nodes = len(facts.eligible(service, swarm.snapshot))
        path = (*service.path, "deploy", "placement", "max_replicas_per_node")
        words = f"{limit} a node on {count(nodes, 'node')} is room for {limit * nodes} replicas"
        if service.replicas > limit * nodes:
            yield Hit(path, f"{words}, and {service.replicas} are wanted")
        elif service.replicas > limit * (nodes - 1):
            words += f": when one dies, {service.replicas} do not fit"
            yield Hit(path, words, severity=Severity.WARNING)


@rule("SW055", "no-spare-room", Severity.WARNING, "the replicas do not fit when a node is lost")
def no_spare_room(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """The scheduler places by reservations; what does not fit stays pending."""
    if swarm.snapshot is None:
        return
    own = facts.own_stack(stack, swarm.snapshot)
    for service, lost in room.without_room(stack, swarm.snapshot, own):
        path = (*service.path, "deploy", "resources", "reservations")
        if lost:
            words = f"if {lost} dies, not all replicas of {service.name!r} fit on the other nodes"
            yield Hit(path, f"{words} by their reservations")
        else:
            words = f"the replicas of {service.name!r} do not fit on the nodes by what they reserve"
            yield Hit(path, words, severity=Severity.ERROR)
