"""``swarmctl status``: the Swarm as tables or JSON, once or until Ctrl-C."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, Format, HostOption, TableOrJson
from swarmctl.errors import Exit, SwarmctlError, UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from swarmctl.backup.last import Last
    from swarmctl.cluster import Target
    from swarmctl.network.finding import Finding
    from swarmctl.prefetch.plan import Pull
    from swarmctl.swarm.connect import Failover
    from swarmctl.swarm.model import Swarm
    from swarmctl.swarm.overview import Overview

app = typer.Typer()


@app.command()
def status(
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", "-w", help="Redraw until Ctrl-C; if a manager fails, use another one."
        ),
    ] = False,
    interval: Annotated[
        float,
        typer.Option("--interval", min=0.2, metavar="S", help="Seconds between two snapshots."),
    ] = 1,
    format_: TableOrJson = Format.TABLE,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Exit 1 if a node is down or a replica is missing; with --deep also if the check "
            "of the network finds an error. Warn of images that replicas would have to pull first.",
        ),
    ] = False,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep",
            help="Check the network as well: security groups, the paths between all nodes, and a "
            "request to every published port.",
        ),
    ] = False,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Show the nodes, where each service runs, and what is missing and why."""
    if watch and format_ is Format.JSON:
        raise UsageError(
            "--watch cannot be combined with --format json", "call status --format json repeatedly"
        )
    if watch and deep:
        raise UsageError("--watch cannot be combined with --deep", "call status --deep repeatedly")
    from swarmctl.cluster import resolve

    target = resolve(cluster, host)
    findings: tuple[Finding, ...] = ()
    with target.failover() as swarm:
        if watch:
            with suppress(KeyboardInterrupt):  # the way to end it
                _watch(swarm, target, interval)
            return
        snapshot = swarm.snapshot()
        if deep:
            from swarmctl.network.check import check_network

            findings = check_network(target, snapshot)
        pulls = _pulls(snapshot, target) if check else ()
        view = _overview(snapshot, target)
        last = _last_backup(swarm)
        if format_ is Format.JSON:
            from swarmctl.swarm.overview import as_json

            data = as_json(view, cluster=target.cluster, manager=swarm.address)
            network = {"network": [asdict(found) for found in findings]} if deep else {}
            to_pull = {"pulls": [asdict(pull) for pull in pulls]} if check else {}
            from swarmctl.cli.backup.last import last_as_json

            backup = {"backup": last_as_json(last)}
            console.emit_json(data | network | to_pull | backup)
        else:
            from swarmctl.cli.show.status import status_tables

            out = console.out()
            out.print(status_tables(view, swarm.address, out.width))
            _print_backup(last)
            if deep:
                from swarmctl.cli.show.network import network_findings

                out.print()
                out.print(network_findings(findings))
            if pulls:
                from swarmctl.prefetch.plan import sentences

                out.print()
                for line in sentences(pulls):
                    out.print(f"warning: {line}", markup=False)
    failed = any(found.severity == "error" for found in findings)
    if check and (failed or not view.healthy):
        raise typer.Exit(int(Exit.FAILED))


def _print_backup(last: Last | None) -> None:
    if last:
        from swarmctl.cli.backup.last import last_line

        console.out().print()
        console.out().print(last_line(last), soft_wrap=True)


def _last_backup(swarm: Failover) -> Last | None:
    """``None`` also behind a proxy that does not show configs: the rest is shown all the same."""
    from swarmctl.backup.record import last_backup
    from swarmctl.swarm.engine import EngineError, SwarmEngine

    try:
        return last_backup(SwarmEngine(swarm))
    except EngineError:
        return None


def _pulls(found: Swarm, target: Target) -> tuple[Pull, ...]:
    from swarmctl.prefetch.plan import pulls
    from swarmctl.swarm.observe.images import with_images

    return pulls(with_images(found, target.shell()), found.services, unknown=False)


def _overview(found: Swarm, target: Target) -> Overview:
    from swarmctl.known_names import remember
    from swarmctl.swarm.overview import overview

    remember(target.cluster, found)
    return overview(found, target.instances)


def _watch(swarm: Failover, target: Target, interval: float) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from swarmctl.cli.show.status import status_screen

    # EC2 is asked only once, at the start: asking it for every snapshot would be slow.
    shown: RenderableType = Text("reading the Swarm …")
    out = console.out()
    with Live(shown, console=out, auto_refresh=False) as live:
        while True:
            try:
                view = _overview(swarm.snapshot(), target)
                shown = drawn = status_screen(view, swarm.address, out)
            except SwarmctlError as fault:
                drawn = Group(Text(f"{fault.message}", style="bold red"), shown)
            live.update(drawn, refresh=True)
            time.sleep(interval)
