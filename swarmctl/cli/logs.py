"""``swarmctl logs``: the lines of all replicas, from wherever they are kept."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from swarmctl.cli import completion, console
from swarmctl.cli.options import ClusterOption, Format, HostOption
from swarmctl.errors import Exit, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from swarmctl.cloud.logs import Logs
    from swarmctl.logs.line import Line
    from swarmctl.logs.lost import Loss
    from swarmctl.logs.where import Source
    from swarmctl.swarm.model import Service

app = typer.Typer()

DEFAULT_TAIL = 100


def _since(text: str | datetime) -> datetime:
    """A moment: RFC 3339, or how long ago."""
    from swarmctl.cli.options import parse_seconds
    from swarmctl.reading.times import parse_time

    with suppress(ValueError):  # then it is how long ago
        return parse_time(str(text))
    return datetime.now(UTC) - timedelta(seconds=parse_seconds(str(text)))


def _tail(text: str | int) -> int:
    """A number of lines; -1 for all."""
    if text in ("all", -1):
        return -1
    if not str(text).isdecimal():
        raise typer.BadParameter(f"{text!r} is neither a number nor all")
    return int(text)


@app.command()
def logs(
    name: Annotated[
        str,
        typer.Argument(
            metavar="SERVICE",
            help="A service; or a stack, for all its services.",
            autocompletion=completion.services,
        ),
    ],
    since: Annotated[
        datetime | None,
        typer.Option(
            "--since",
            metavar="TIME",
            parser=_since,
            help="From this moment on (2026-11-28T13:00:00Z), or from so long ago (10m).",
        ),
    ] = None,
    tail: Annotated[
        int | None,
        typer.Option(
            "--tail",
            "-n",
            metavar="N|all",
            parser=_tail,
            help=f"Only the last N lines of all replicas together.  [default: {DEFAULT_TAIL}; all "
            "with --since]",
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")
    ] = False,
    task: Annotated[
        str,
        typer.Option(
            "--task", metavar="ID", help="Only this task; the beginning of its id will do."
        ),
    ] = "",
    node: Annotated[
        str,
        typer.Option(
            "--node",
            metavar="NODE",
            help="Only what was written on this node.",
            autocompletion=completion.nodes,
        ),
    ] = "",
    lost: Annotated[
        bool,
        typer.Option(
            "--lost",
            help="Count the lines that the nodes have and CloudWatch has not, since --since "
            "[default: 1h].",
        ),
    ] = False,
    format_: Annotated[
        Literal[Format.TEXT, Format.JSON],
        typer.Option("--format", help="Output format. json: one object on each line."),
    ] = Format.TEXT,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> int:
    """Show what the replicas of a service have written, merged by time.

    Lines of tasks with the log driver awslogs are read from CloudWatch Logs, also those of tasks
    that died with their node; other lines are read from the nodes, through a manager. What cannot
    be read is named. A service that was removed is looked for in the cluster's log groups.

    Exit code: 0 all was read, 1 something could not be read (the rest is shown) or, with --lost,
    lines are lost, 2 wrong input.
    """
    if lost and follow:
        raise UsageError("--lost cannot be combined with --follow", "call logs --lost repeatedly")
    from swarmctl.cloud.logs import Logs
    from swarmctl.cluster import resolve
    from swarmctl.logs.follow import Follower
    from swarmctl.logs.read import read
    from swarmctl.logs.where import Chosen
    from swarmctl.prefetch.survey import chosen as services_of
    from swarmctl.swarm.node import find_node

    target = resolve(cluster, host)
    regions: dict[str, Logs] = {}

    def region(name_: str) -> Logs:
        return regions.setdefault(name_, Logs(region=name_ or None))

    last = (None if since else DEFAULT_TAIL) if tail is None else None if tail < 0 else tail
    begin = datetime.now(UTC)
    with target.connect() as client:
        swarm = client.snapshot()
        also: tuple[Source, ...] = ()
        services: tuple[Service, ...] = ()
        try:
            services = services_of(swarm, [name])
        except UsageError:
            if not (also := _removed(name, target.cluster, region)):
                raise
        wanted = Chosen(task, find_node(swarm.nodes, node).hostname if node else "")
        if lost:
            from swarmctl.logs.lost import losses

            hour = datetime.now(UTC) - timedelta(hours=1)
            return _lost(losses(client, region, swarm, services, wanted, since or hour))
        found = read(client, region, swarm, services, wanted, since=since, tail=last, also=also)
    show = _printer(format_ is Format.JSON, [line.replica for line in found.lines])
    for line in found.lines:
        show(line)
    for words in found.missing:
        console.error(words)
    if follow:
        follower = Follower(target.endpoints, region, services, wanted, console.note)
        earliest = found.lines[0].at if found.lines else since or begin
        with suppress(KeyboardInterrupt):  # the way to end it
            for line in follower.lines(swarm, begin, found.lines, earliest):
                show(line)
    return int(Exit.FAILED if found.missing else Exit.OK)


def _removed(name: str, cluster: str, regions: Callable[[str], Logs]) -> tuple[Source, ...]:
    """Where a service that was removed has written to; nowhere if CloudWatch cannot be asked."""
    from swarmctl.cloud.words import CloudError
    from swarmctl.logs.groups import prefix
    from swarmctl.logs.where import removed

    with suppress(CloudError):  # the error is then that there is no such service
        return removed(name, [group.name for group in regions("").groups(prefix(cluster))])
    return ()


def _printer(as_json: bool, replicas: list[str]) -> Callable[[Line], None]:
    from swarmctl.logs.line import as_data

    if as_json:
        return lambda line: console.emit_json(as_data(line), indent=None)
    from swarmctl.cli.show.logs import Painter

    painter = Painter(replicas)
    return lambda line: console.out().print(painter.text(line), soft_wrap=True)


def _lost(found: list[Loss]) -> int:
    for loss in found:
        who = f"{loss.replica} ({loss.task[:12]}) on {loss.node}"
        if loss.fault:
            console.error(f"{who}: not all compared: {loss.fault}")
        if loss.lost:
            ends = (loss.lost[0], loss.lost[-1])
            begin, end = (line.at.isoformat(timespec="seconds") for line in ends)
            console.emit(f"{who}: {len(loss.lost)} of {loss.written} lines lost, {begin} to {end}")
    lines, gone = sum(loss.written for loss in found), sum(len(loss.lost) for loss in found)
    console.emit(f"{gone} of {lines} lines of {len(found)} tasks are not in CloudWatch")
    return int(Exit.FAILED if gone or any(loss.fault for loss in found) else Exit.OK)
