"""Proof that a version serves: its tasks on live nodes, and a request to its published ports.

A deploy has succeeded only when each published port answers. After a failed one, the stack is
compared with its state before: a port that answered must answer again. A port that cannot be
reached from here (a firewall may block it) is reported, and proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from swarmctl.errors import DeadlineExceededError, SwarmctlError
from swarmctl.network.access import Access, AccessTo, closed_port
from swarmctl.network.ports import PortHealth, Probe, ask_ports, http_probe
from swarmctl.stack.deploy.converge import convergence_of
from swarmctl.swarm.model import Swarm
from swarmctl.wait import CLOCK, Clock, wait_for


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """How one service serves: tasks of its current spec on live nodes, and its ports."""

    service: str
    ready: int
    wanted: int
    ports: tuple[PortHealth, ...] = ()

    def port(self, target: int) -> PortHealth | None:
        """The published port that leads to this port of the container."""
        return next((port for port in self.ports if port.address.target == target), None)

    def __str__(self) -> str:
        return ", ".join([f"{self.service} {self.ready}/{self.wanted} on live nodes",
                          *map(str, self.ports)])  # fmt: skip


class NoAnswerError(SwarmctlError):
    """Everything runs, but a published port does not answer."""


Health = Mapping[str, ServiceHealth]  # by service


def health_of_stack(
    swarm: Swarm, stack: str, addresses: Mapping[str, str], probe: Probe = http_probe
) -> dict[str, ServiceHealth]:
    """How each service of a stack serves, by name.

    Args:
        swarm: a snapshot.
        stack: its name.
        addresses: hostname → address reachable from here; other nodes by their own address.
        probe: sends one request; replaced in tests.
    """
    services = swarm.stack_services(stack)
    ports = ask_ports(swarm, services, addresses, probe)
    found = {}
    for service in services:
        tasks = convergence_of(swarm, service)
        own = tuple(port for port in ports if port.service == service.name)
        found[service.name] = ServiceHealth(service.name, tasks.ready, tasks.wanted, own)
    return found


def regressions(before: Health, after: Health) -> list[str]:
    """What served before and no longer does, one line each."""
    lines = []
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            lines.append(f"{name} is gone")
        elif new.ready < old.ready:
            lines.append(f"{name} had {old.ready} tasks serving, now {new.ready}")
        else:
            lines += _silenced(old, new)
    return lines


def _silenced(old: ServiceHealth, new: ServiceHealth) -> Iterator[str]:
    for port in old.ports:
        now = new.port(port.address.target)
        if port.answer.rank == 3 and (now is None or now.answer.rank < 3):
            yield f"{port.address} answered {port.answer}; now {now or 'it is not published'}"


def wait_for_answers(
    health_now: Callable[[], Health],
    before: Health,
    access: Callable[[], AccessTo],
    timeout: float,
    clock: Clock = CLOCK,
) -> list[str]:
    """Wait until every published port that can be reached from here answers.

    Args:
        health_now: how the stack serves; sends the requests.
        before: how it served before the deploy: what answered then must answer now.
        access: reads the security groups; called only if a port does not answer.
        timeout: seconds.
        clock: replaced in tests.

    Returns:
        A warning for each port that could not be asked.

    Raises:
        NoAnswerError: a port does not answer; the message has each.
    """

    known: list[AccessTo] = []

    def all_answer() -> tuple[list[str] | None, str]:
        health = health_now()
        if not health:
            return None, "no manager answers"
        ports = [port for service in health.values() for port in service.ports]
        silent = [port for port in ports if port.answer.rank < 3]
        if silent and not known:
            known.append(access())
        failed = [port for port in silent if _must_answer(port, before, known[0])]
        if failed:
            return None, "; ".join(f"{port.service}: {port}" for port in failed)
        warnings = [_warning(port, known[0]) for port in silent]
        return warnings, ""

    what = "the published ports to answer"
    try:
        return wait_for(what, all_answer, timeout=timeout, interval=0.5,
                        clock=clock.now, pause=clock.pause)  # fmt: skip
    except DeadlineExceededError as fault:
        hint = (
            "the path that is requested is the service's label swarmctl.probe.path, or /; one that "
            "does not speak HTTP needs the label swarmctl.probe=tcp"
        )
        raise NoAnswerError(fault.message, hint) from fault


def answering(health: Health) -> list[str]:
    """Where each published port answers, one line each."""
    return [
        f"{port.service} answers at {'http://' if port.answer.status else ''}{port.address}"
        for service in health.values()
        for port in service.ports
        if port.answer.rank == 3
    ]


def _must_answer(port: PortHealth, before: Health, access: AccessTo) -> bool:
    old = before[port.service].port(port.address.target) if port.service in before else None
    if old and old.answer.rank == 3:
        return True
    if port.answer.rank == 2:  # a server error, which it may have answered before
        return old is None or old.answer.rank < 2
    return access(port.address.node, "tcp", port.address.port) is Access.OPEN


def _warning(port: PortHealth, access: AccessTo) -> str:
    number = port.address.port
    if port.answer.rank == 2:
        return f"warning: {port.service}: {port}, as before"
    reach = access(port.address.node, "tcp", number)
    if reach is Access.CLOSED:
        return f"warning: {port.service}: {': '.join(closed_port(number))}"
    if reach is Access.BALANCED:
        return (
            f"{port.service}: {port.address} is open to the load balancer only: it was not asked "
            "from here"
        )
    return (
        f"warning: {port.service}: {port.address} does not answer from here, so it is not proven "
        "to serve: the security groups or a firewall may let only others reach it"
    )
