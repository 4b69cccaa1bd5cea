"""``swarmctl chaos doctor``: what any run left behind, anywhere, and mending it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, Format, RunsDirOption, TableOrJson
from swarmctl.errors import Exit, SwarmctlError, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from swarmctl.chaos.doctor.checkup import Reach
    from swarmctl.chaos.doctor.findings import Cure, Facts, Finding
    from swarmctl.chaos.journal.runs import Runs
    from swarmctl.swarm.engine import Engine

app = typer.Typer()


@app.command()
def doctor(
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend what runs left behind and is safe to mend.")
    ] = False,
    cluster: ClusterOption = None,
    runs_dir: RunsDirOption = Path("runs"),
    format_: TableOrJson = Format.TABLE,
) -> int:
    """Find what experiments left behind: in journals, in EC2, in the Swarm and on the nodes.

    It looks only, unless --fix is given; that never touches what no run's plan accounts for, nor a
    run that may be under way. Exit code: 0 nothing is left, 1 something is.
    """
    from swarmctl.chaos.doctor.checkup import cures, look
    from swarmctl.chaos.doctor.examine import examine
    from swarmctl.chaos.doctor.findings import as_json
    from swarmctl.chaos.journal.runs import Runs

    runs = Runs(runs_dir)
    reach, close = _reach(runs, cluster)
    mended: list[str] = []
    failed: list[str] = []
    try:
        facts = look(reach)
        findings = examine(facts)
        if fix and (todo := cures(findings)):
            mended, failed = _mend(todo, reach, cluster)
            facts = look(reach)
            findings = examine(facts)
    finally:
        close()
    if format_ is Format.JSON:
        console.emit_json(
            {
                "cluster": facts.cluster,
                "nodes": sorted(facts.looks),
                "findings": as_json(findings),
                "mended": mended,
                "failed": failed,
            }
        )
    else:
        if findings:
            console.out().print(_table(findings))
        console.emit(_summary(facts, findings, mended, failed, fix=fix))
    return int(Exit.FAILED if findings else Exit.OK)


def _reach(runs: Runs, cluster: str | None) -> tuple[Reach, Callable[[], None]]:
    """What can be asked, and what ends the connections to it.

    Raises:
        UsageError: there is no such cluster, or there are several.
    """
    from swarmctl.chaos.doctor.checkup import Reach
    from swarmctl.chaos.doctor.findings import EC2
    from swarmctl.chaos.world.live import LiveManagers
    from swarmctl.cloud.instances import Cloud
    from swarmctl.cluster import endpoint, manager_endpoints, resolve
    from swarmctl.swarm.shell import Shells

    try:
        ec2 = Cloud()
        known = ec2.clusters()
        name = (
            cluster or os.environ.get("SWARMCTL_CLUSTER") or (known[0] if len(known) == 1 else "")
        )
        if name not in known:
            resolve(name or None, cloud=lambda: ec2)  # raises: it knows how to say that
    except UsageError:
        raise
    except SwarmctlError as fault:
        return Reach(runs, blind={EC2: fault}), lambda: None
    opened: list[LiveManagers] = []

    def engine() -> Engine:
        # Anew each time: a manager that was started again may have another address.
        opened.append(LiveManagers(manager_endpoints(name, ec2.instances(name))))
        return opened[-1].engine

    def close() -> None:
        shells.close()
        for swarms in opened:
            swarms.close()

    shells = Shells(lambda: {i.name: endpoint(i) for i in ec2.instances(name)})
    options = f" --cluster {name}" if cluster else ""
    return Reach(runs, name, options, ec2, shells, engine), close


def _mend(todo: Sequence[Cure], reach: Reach, cluster: str | None) -> tuple[list[str], list[str]]:
    """Do all of it, one after the other; what worked, and what did not and why."""
    from swarmctl.chaos.doctor.checkup import Hands, carry_out
    from swarmctl.cli.chaos.world import revert_from_swarm, revert_run

    def revert(run_id: str) -> None:
        with reach.runs.lock():
            revert_run(reach.runs, reach.runs.load(run_id))

    def from_swarm() -> None:
        with reach.runs.lock():
            console.note(f"  {revert_from_swarm(reach.runs, cluster)}")

    mended, failed = [], []
    for cure in todo:
        try:
            carry_out(cure, reach, Hands(revert, from_swarm))
        except SwarmctlError as fault:
            failed.append(f"{cure}: {fault.message}")
            console.note(f"✗ {failed[-1]}")
        else:
            mended.append(str(cure))
            console.note(f"✓ {cure}")
    return mended, failed


def _table(findings: Sequence[Finding]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("where", "", "since (UTC)", "what, and the command that mends it"):
        table.add_column(title, no_wrap=title in ("", "since (UTC)"), overflow="fold")
    place = ""
    for found in findings:
        if place and place != found.place:
            table.add_section()
        style = {"error": "bold red", "warning": "yellow"}[found.severity]
        table.add_row(
            "" if found.place == place else Text(found.place, style="bold"),
            Text(found.severity, style=style),
            f"{found.since:%Y-%m-%d %H:%M:%S}" if found.since else "",
            Text.assemble(found.what, "\n", (f"→ {found.mend}", "cyan")),
        )
        place = found.place
    return table


def _summary(
    facts: Facts,
    findings: Sequence[Finding],
    mended: Sequence[str],
    failed: Sequence[str],
    *,
    fix: bool,
) -> str:
    done = f"{len(mended)} mended, {len(failed)} not; " if mended or failed else ""
    if not findings:
        nodes = _count(len(facts.looks), "node")
        return f"{done}nothing left behind on {nodes}, in the Swarm and in {facts.runs_dir}/"
    errors = sum(found.severity == "error" for found in findings)
    fixable = sum(found.cure is not None for found in findings)
    text = f"{done}{_count(errors, 'error')}, {_count(len(findings) - errors, 'warning')}"
    if fix:
        return f"{text} left; --fix mends only what a run's plan or undo script accounts for"
    return f"{text}; --fix mends {fixable} of them"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
