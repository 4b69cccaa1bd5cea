"""Where the lines of each task are kept, by its log driver. Pure.

A driver is part of a task, not of its service: an update leaves the older tasks' lines where they
are. https://docs.docker.com/engine/logging/drivers/awslogs/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from swarmctl.swarm.model import Service, Swarm, Task

# The names that the stacks of this project give their streams: the container's name, which Swarm
# makes (service.slot.task, or service.node.task), and the node's id.
_STREAM = re.compile(
    r"(?P<service>[^./]+)\.(?P<place>[a-z0-9]+)\.(?P<task>[a-z0-9]{25})(?:/(?P<node>[a-z0-9]{25}))?"
)


@dataclass(frozen=True, slots=True)
class Writer:
    """Who wrote a line: names as :class:`swarmctl.logs.line.Line` has them."""

    service: str
    replica: str
    task: str
    node: str


@dataclass(frozen=True, slots=True)
class Source:
    """The streams of a service in a log group of CloudWatch.

    Attributes:
        region: ``""`` for the environment's.
        group: its name.
        service: the service's name.
        prefix: how the streams' names begin; ``""`` if they are given.
        streams: their names, where only these are known: they are the ids of containers.
    """

    region: str
    group: str
    service: str
    prefix: str
    streams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Places:
    """Where the lines of some services are.

    Attributes:
        on_nodes: tasks whose lines their node has, which can be asked.
        lost: tasks whose lines are on a node that is down or gone.
        nowhere: tasks whose driver keeps nothing.
        sources: in CloudWatch.
        in_cloud: the ids of the tasks that write to it.
    """

    on_nodes: tuple[Task, ...] = ()
    lost: tuple[Task, ...] = ()
    nowhere: tuple[Task, ...] = ()
    sources: tuple[Source, ...] = ()
    in_cloud: frozenset[str] = frozenset()

    def asks_nodes(self, service: Service) -> bool:
        """Whether nodes have lines of a service, or will have."""
        return driver_of(service.task_spec) != "awslogs" or any(
            task.service_id == service.id for task in self.on_nodes
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which lines are wanted.

    Attributes:
        task: how the task's id begins; ``""`` for all.
        node: the node's id or hostname; ``""`` for all.
    """

    task: str = ""
    node: str = ""

    def has(self, writer: Writer) -> bool:
        """Whether the lines of a writer are wanted."""
        return writer.task.startswith(self.task) and self.node in ("", writer.node)


@dataclass(frozen=True, slots=True)
class Names:
    """The names in a snapshot, by id."""

    nodes: Mapping[str, str]
    services: Mapping[str, str]
    tasks: Mapping[str, Task]
    containers: Mapping[str, Task] = field(default_factory=dict)

    @classmethod
    def of(cls, swarm: Swarm) -> Names:
        """Those of a snapshot."""
        return cls(
            {n.id: n.hostname for n in swarm.nodes},
            {s.id: s.name for s in swarm.services},
            {t.id: t for t in swarm.tasks},
            {t.container_id: t for t in swarm.tasks if t.container_id},
        )

    def writer(self, task: Task) -> Writer:
        """The names of a task."""
        service = self.services.get(task.service_id, task.service_id)
        node = self.nodes.get(task.node_id, task.node_id)
        return Writer(service, f"{service}.{task.slot or node}", task.id, node)

    def of_stream(self, stream: str, service: str) -> Writer:
        """Who writes a stream of CloudWatch; what neither its name nor the Swarm tells is empty."""
        if task := self.containers.get(stream):
            return self.writer(task)
        found = _STREAM.fullmatch(stream)
        if found is None:
            return Writer(service, stream, "", "")
        if task := self.tasks.get(found["task"]):
            return self.writer(task)
        place = self.nodes.get(found["place"], found["place"])
        node = self.nodes.get(found["node"] or "", found["node"] or "")
        return Writer(found["service"], f"{found['service']}.{place}", found["task"], node)


def places(swarm: Swarm, services: Iterable[Service], chosen: Chosen = Chosen()) -> Places:
    """Where the lines of the chosen tasks of some services are."""
    names = Names.of(swarm)
    on_nodes: list[Task] = []
    lost: list[Task] = []
    nowhere: list[Task] = []
    sources: dict[Source, None] = {}
    in_cloud: set[str] = set()
    for service in services:
        tasks = [t for t in swarm.tasks_of(service) if t.node_id]
        kept = [t for t in tasks if driver_of(t.spec) == "awslogs"]
        in_cloud.update(t.id for t in kept)
        sources |= dict.fromkeys(_sources(service, kept))
        for task in tasks:
            if task in kept or not chosen.has(names.writer(task)):
                continue
            node = swarm.node_by_id(task.node_id)
            if driver_of(task.spec) == "none":
                nowhere.append(task)
            elif node and node.live:
                on_nodes.append(task)
            else:
                lost.append(task)
    return Places(tuple(on_nodes), tuple(lost), tuple(nowhere), tuple(sources), frozenset(in_cloud))


def removed(name: str, groups: Iterable[str]) -> tuple[Source, ...]:
    """Where the lines of a service or stack are that the Swarm does not have any more.

    Args:
        name: of the service or the stack.
        groups: the names of the cluster's log groups, which end in the stack's.
    """
    found = []
    for group in groups:
        stack = group.rpartition("/")[2]
        if name == stack:
            found.append(Source("", group, name, f"{stack}_"))
        elif name.startswith(f"{stack}_"):
            found.append(Source("", group, name, f"{name}."))
    return tuple(found)


def _sources(service: Service, kept: Sequence[Task]) -> Iterable[Source]:
    specs = [task.spec for task in kept]
    if driver_of(service.task_spec) == "awslogs":
        specs.append(service.task_spec)
    for spec in specs:
        options = (spec.get("LogDriver") or {}).get("Options") or {}
        region, group = options.get("awslogs-region", ""), options.get("awslogs-group", "")
        named = options.get("awslogs-stream", "")
        if not named and str(options.get("tag", "")).startswith("{{.Name}}"):
            named = f"{service.name}."
        ids = () if named else tuple(sorted(t.container_id for t in kept if t.container_id))
        if group and (named or ids):
            yield Source(region, group, service.name, named, ids)


def driver_of(spec: Mapping[str, Any]) -> str:
    """The name of a task spec's log driver; ``""``: the node's default."""
    return str((spec.get("LogDriver") or {}).get("Name") or "")
