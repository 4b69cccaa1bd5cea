"""Lines that a node has and CloudWatch has not: what the driver dropped.

The Engine keeps the last lines of every container on its node as well, whatever the driver
(https://docs.docker.com/engine/logging/dual-logging/), before a full buffer or a failed request can
drop any. It counts nothing itself. So both are compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from swarmctl.errors import SwarmctlError
from swarmctl.logs.cloudwatch import Regions, lines_since, millis
from swarmctl.logs.engine import ask_each
from swarmctl.logs.line import Line
from swarmctl.logs.where import Chosen, Names, places
from swarmctl.swarm.client import SwarmClient
from swarmctl.swarm.model import Service, Swarm

# The driver sends what it has every 5 s, and tries again for some seconds.
UNDER_WAY = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Loss:
    """What one task has written and what of it is not in CloudWatch.

    Attributes:
        replica: for example ``three_tier_web.3``.
        task: its id.
        node: the hostname.
        written: lines that its node has.
        lost: the lines among them that CloudWatch has not.
        fault: why it could not be compared; ``""``: it was.
    """

    replica: str
    task: str
    node: str
    written: int
    lost: tuple[Line, ...] = ()
    fault: str = ""


def losses(
    client: SwarmClient,
    regions: Regions,
    swarm: Swarm,
    services: Sequence[Service],
    chosen: Chosen,
    since: datetime,
) -> list[Loss]:
    """Compare nodes and CloudWatch, for each task that writes to it and whose node is up.

    Args:
        client: a manager.
        regions: CloudWatch Logs.
        swarm: a snapshot.
        services: whose lines.
        chosen: which of them.
        since: when to begin.

    Raises:
        LogsError: CloudWatch could not be read: nothing can be said.
        SwarmctlError: there is no such task.
    """
    names, where = Names.of(swarm), places(swarm, services, chosen)
    live = {node.id for node in swarm.nodes if node.live}
    tasks = [
        task
        for task in swarm.tasks
        if task.id in where.in_cloud and task.node_id in live and chosen.has(names.writer(task))
    ]
    if not tasks:
        raise SwarmctlError(
            "nothing could be compared: no task that was asked for has the log driver awslogs and "
            "is on a node that is up",
            "docs/logs.md tells how to send a stack's logs to CloudWatch",
        )
    until = datetime.now(UTC) - UNDER_WAY
    answers = ask_each(client, tasks, names, since=since, tail=None)
    stored = [
        line
        for source in where.sources
        for line in lines_since(regions(source.region), source, names, chosen, since)
    ]
    found = []
    for answer in answers:
        writer = names.writer(answer.task)
        own = [line for line in answer.lines if line.at <= until and line.text]
        gone = tuple(missing(own, stored))
        found.append(Loss(writer.replica, writer.task, writer.node, len(own), gone, answer.fault))
    return found


def missing(written: Iterable[Line], stored: Iterable[Line]) -> Iterable[Line]:
    """The lines that were written and are not stored; pure. CloudWatch's times are in ms."""
    there = Counter(_key(line) for line in stored)
    for line in written:
        if there[_key(line)] > 0:
            there[_key(line)] -= 1
        else:
            yield line


def _key(line: Line) -> tuple[str, int, str]:
    return line.task, millis(line.at), line.text
