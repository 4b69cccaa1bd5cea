"""The host ports of running tasks, read on their nodes.

After a change of leader the nodes report their tasks again and the reports lack the ports
(``PortStatus {}``, seen on Engine 26.1), while the containers go on listening.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol

from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Port, Service, Swarm, Task

_TASK = "com.docker.swarm.task.id"
# One line a container: its task's id and its ports.
_FORMAT = f'{{{{index .Config.Labels "{_TASK}"}}}} {{{{json .NetworkSettings.Ports}}}}'
# A container may end between the two commands: the others are reported all the same.
_SCRIPT = f"""
ids=$(docker ps -q --filter label={_TASK}) || exit
test -z "$ids" || docker inspect --format '{_FORMAT}' $ids || true
"""


class Shell(Protocol):
    """Commands on a node; see :class:`swarmctl.swarm.shell.Shells`."""

    def run(self, node: str, script: str, timeout_s: float = 20.0) -> str:
        """Run a POSIX shell script as root and return its standard output."""


def read_host_ports(
    shell: Shell, swarm: Swarm, services: Sequence[Service]
) -> dict[str, tuple[Port, ...]]:
    """The published host ports of these services' tasks, by task id.

    A node that does not answer is left out.

    Args:
        shell: commands on the nodes.
        swarm: where the tasks run.
        services: whose tasks.
    """
    hosts = {node.id: node.hostname for node in swarm.nodes}
    tasks = {
        task.id: hosts[task.node_id]
        for service in services
        for task in swarm.serving(service)
        if not _targets(service.ports) <= _targets(port for port in task.ports if port.published)
    }
    if not tasks:
        return {}
    found: dict[str, tuple[Port, ...]] = {}
    nodes = sorted(set(tasks.values()))
    with ThreadPoolExecutor(min(16, len(nodes))) as pool:
        for ports in pool.map(lambda node: _on_node(shell, node), nodes):
            found |= ports
    return {task: ports for task, ports in found.items() if task in tasks}


def _targets(ports: Iterable[Port]) -> set[tuple[int, str]]:
    return {(port.target, port.protocol) for port in ports if port.mode == "host"}


def with_host_ports(swarm: Swarm, shell: Shell) -> Swarm:
    """The snapshot with the host ports that the managers do not report, read on the nodes."""
    publishing = [s for s in swarm.services if any(port.mode == "host" for port in s.ports)]
    return with_ports(swarm, read_host_ports(shell, swarm, publishing))


def with_ports(swarm: Swarm, found: Mapping[str, Iterable[Port]]) -> Swarm:
    """The snapshot with host ports by task id, where the managers report none."""
    if not found:
        return swarm
    tasks = (with_known(task, found.get(task.id, ())) for task in swarm.tasks)
    return replace(swarm, tasks=tuple(tasks))


def with_known(task: Task, known: Iterable[Port]) -> Task:
    """The task with these ports too, where the managers report none of that target."""
    reported = {(port.target, port.protocol) for port in task.ports if port.published}
    more = tuple(port for port in known if (port.target, port.protocol) not in reported)
    return replace(task, ports=task.ports + more) if more else task


def _on_node(shell: Shell, node: str) -> dict[str, tuple[Port, ...]]:
    """The ports of all tasks on a node: one question, however many services it has."""
    try:
        output = shell.run(node, _SCRIPT, 10.0)
        lines = [line.partition(" ") for line in output.splitlines()]
        return {task: _ports(json.loads(ports)) for task, _, ports in lines if task}
    except (SwarmctlError, ValueError):  # ValueError: not the output asked for
        return {}


def _ports(raw: Mapping[str, Sequence[Mapping[str, Any]] | None] | None) -> tuple[Port, ...]:
    """From ``{"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}, …]}``, or ``null``."""
    found = set()
    for name, bindings in (raw or {}).items():
        target, _, protocol = name.partition("/")
        for binding in bindings or ():
            found.add(Port(protocol, int(target), int(binding["HostPort"]), "host"))
    return tuple(sorted(found, key=lambda port: (port.target, port.published)))
