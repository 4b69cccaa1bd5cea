"""The whole check: security groups, paths between nodes, published ports. Changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

from swarmctl.cloud.instances import Instance
from swarmctl.cluster import Target
from swarmctl.errors import SwarmctlError
from swarmctl.network.access import Access, AccessTo, access_by, closed_port, no_rules
from swarmctl.network.finding import Finding, Severity
from swarmctl.network.groups import compare_groups
from swarmctl.network.paths import Paths, Shell, check_paths, path_findings
from swarmctl.network.ports import PortHealth, Probe, ask_addresses, http_probe, should_answer
from swarmctl.reading.commands import word
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.observe.host_ports import with_host_ports


def check_network(
    target: Target, swarm: Swarm, paths: Callable[[Shell, Swarm], Paths] = check_paths
) -> tuple[Finding, ...]:
    """What is wrong with a cluster's network.

    With ``--host`` only published ports can be checked, which a warning says.

    Args:
        target: the cluster.
        swarm: a snapshot of it.
        paths: tests the paths between nodes: at once, or ``settled_paths``, which is patient.
    """
    away = {i.name: i for i in target.instances if i.state not in ("pending", "running")}
    asked = replace(swarm, nodes=tuple(n for n in swarm.nodes if n.hostname not in away))
    unnoticed = [away[n.hostname] for n in swarm.nodes if n.live and n.hostname in away]
    return (
        *_groups(target),
        *map(_unnoticed, unnoticed),
        *_paths(target, asked, paths),
        *_published(target, swarm),
    )


def _unnoticed(instance: Instance) -> Finding:
    what = f"its instance {instance.id} is {instance.state}; the managers have not noticed yet"
    ids = f"--instance-ids {word(instance.id)}"
    wait = f"aws ec2 wait instance-stopped {ids} && " if instance.state == "stopping" else ""
    remedy = f"{wait}aws ec2 start-instances {ids}"
    return Finding(instance.name, what, remedy)


def _groups(target: Target) -> Iterator[Finding]:
    if target.cloud is None and target.instances:
        return  # machines that are not EC2's
    if target.cloud is None:
        yield _not_checked("security groups and paths between nodes", "--host was given", "omit it")
        return
    try:
        groups = target.cloud.security_groups(target.cluster, target.instances)
    except SwarmctlError as fault:
        yield _not_checked("security groups", fault.message, fault.hint)
    else:
        yield from compare_groups(target.cluster, target.instances, groups)


def _paths(
    target: Target, swarm: Swarm, paths: Callable[[Shell, Swarm], Paths]
) -> Iterator[Finding]:
    if shell := target.shell():
        with closing(shell):
            yield from path_findings(paths(shell, swarm))


def _published(target: Target, swarm: Swarm) -> Iterator[Finding]:
    try:
        access = access_by(target.rules())
    except SwarmctlError:  # a finding already
        access = no_rules
    if shell := target.shell():
        with closing(shell):
            swarm = with_host_ports(swarm, shell)
    addresses = {instance.name: instance.address for instance in target.instances}
    yield from port_findings(swarm, addresses, access)


def port_findings(
    swarm: Swarm,
    addresses: dict[str, str],
    access: AccessTo,
    probe: Probe = http_probe,
) -> Iterator[Finding]:
    """The published ports that do not answer a request, at any of their addresses."""
    by_port: dict[tuple[str, int], list[PortHealth]] = defaultdict(list)
    for health in ask_addresses(swarm, swarm.services, addresses, probe):
        by_port[health.service, health.address.target].append(health)
    for asked in by_port.values():
        silent = [_silent(health, access) for health in asked if not _as_it_should(health, access)]
        if silent:
            worst = min(silent, key=lambda found: found.severity is Severity.WARNING)
            more = f" (so {len(silent)} of {len(asked)} addresses)" if len(asked) > 1 else ""
            yield replace(worst, what=f"{worst.what}{more}")
    services = {service for service, _ in by_port}
    for service in swarm.services:
        if (
            service.name not in services
            and should_answer(swarm, service)
            and any(port.protocol == "tcp" for port in service.ports)
        ):
            what = "publishes a port, but no running task answers for it, or its number is unknown"
            yield Finding(service.name, what, f"docker service ps {word(service.name)}")


def _as_it_should(port: PortHealth, access: AccessTo) -> bool:
    """Whether it answers, or is meant not to: what the load balancer alone may reach."""
    if port.answer.rank != 1:
        return port.answer.rank == 3
    return access(port.address.node, "tcp", port.address.port) is Access.BALANCED


def _silent(port: PortHealth, access: AccessTo) -> Finding:
    number = port.address.port
    reach = access(port.address.node, "tcp", number)
    if port.answer.rank == 1 and reach is Access.CLOSED:
        return Finding(port.service, *closed_port(number), Severity.WARNING)
    if port.answer.rank == 1 and reach is Access.UNKNOWN:
        what = f"{port}: the security groups may open it to others only"
        remedy = "ask from where its clients are"
        return Finding(port.service, what, remedy, Severity.WARNING)
    remedy = (
        f"docker service logs {word(port.service)}; the path is its label swarmctl.probe.path, or /"
    )
    return Finding(port.service, f"{port}", remedy)


def _not_checked(what: str, why: str, hint: str) -> Finding:
    return Finding("EC2", f"{what} could not be checked: {why}", hint or why, Severity.WARNING)
