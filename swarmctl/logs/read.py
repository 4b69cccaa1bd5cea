"""The lines that there are now, of all replicas of some services."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from swarmctl.cloud.words import CloudError
from swarmctl.logs.cloudwatch import Regions, last_lines, lines_since
from swarmctl.logs.engine import Answer, ask_each
from swarmctl.logs.line import Line
from swarmctl.logs.merge import merged
from swarmctl.logs.where import Chosen, Names, Places, Source, places
from swarmctl.swarm.client import SwarmClient
from swarmctl.swarm.model import Service, Swarm, Task

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Found:
    """What was read.

    Attributes:
        lines: in order of time.
        missing: what could not be read, why, and what would have kept it; a sentence each.
    """

    lines: Sequence[Line]
    missing: tuple[str, ...]


def read(
    client: SwarmClient,
    regions: Regions,
    swarm: Swarm,
    services: Sequence[Service],
    chosen: Chosen,
    *,
    since: datetime | None,
    tail: int | None,
    also: Sequence[Source] = (),
) -> Found:
    """The lines of services, those of lost nodes too if CloudWatch has them.

    A node or a log group that does not answer is named; the others' lines are returned.

    Args:
        client: a manager.
        regions: CloudWatch Logs.
        swarm: a snapshot.
        services: whose lines.
        chosen: which of them.
        since: none before this.
        tail: only so many of the last of all together; ``None`` for all.
        also: what else is in CloudWatch, see :func:`swarmctl.logs.where.removed`.
    """
    names, where = Names.of(swarm), places(swarm, services, chosen)
    answers = ask_each(client, where.on_nodes, names, since=since, tail=tail)
    parts: list[Iterable[Line]] = [answer.lines for answer in answers]
    missing = [*_unread(answers, names), *out_of_reach(where, names)]
    for source in (*where.sources, *also):
        try:
            api = regions(source.region)
            if tail is None:
                parts.append(list(lines_since(api, source, names, chosen, since or _EPOCH)))
            else:
                lines, left = last_lines(api, source, names, chosen, since=since, tail=tail)
                parts.append(lines)
                missing += [left] if left else []
        except CloudError as fault:
            missing.append(f"{source.group} was not read: {fault.message}")
    return Found(merged(parts, tail), tuple(missing))


def _unread(answers: Iterable[Answer], names: Names) -> Iterator[str]:
    whys: dict[tuple[str, str], list[Task]] = {}
    for answer in answers:
        if answer.fault:
            node = names.writer(answer.task).node
            whys.setdefault((node, answer.fault), []).append(answer.task)
    for (node, why), tasks in whys.items():
        yield f"{node}: lines of {_listed(tasks, names)} may be missing: {why}"


def out_of_reach(where: Places, names: Names) -> Iterator[str]:
    """What no one can be asked for, and what would have kept it."""
    by_node: dict[str, list[Task]] = {}
    for task in where.lost:
        by_node.setdefault(names.writer(task).node, []).append(task)
    for node, tasks in by_node.items():
        yield (
            f"{node} is down: the lines of {_listed(tasks, names)} are on its disk; with "
            "logging: awslogs they would be in CloudWatch (docs/logs.md)"
        )
    if where.nowhere:
        yield f"{_listed(where.nowhere, names)}: the log driver none keeps no lines"


def _listed(tasks: Iterable[Task], names: Names) -> str:
    return ", ".join(
        f"{replica} ({', '.join(ids)})" for replica, ids in sorted(_ids(tasks, names).items())
    )


def _ids(tasks: Iterable[Task], names: Names) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for task in tasks:
        found.setdefault(names.writer(task).replica, []).append(task.id[:12])
    return found
