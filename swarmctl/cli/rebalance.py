"""``swarmctl rebalance``: spread replicas again, for a node that came back empty."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, Format, HostOption, TableOrJson
from swarmctl.errors import Exit, UsageError

if TYPE_CHECKING:
    from swarmctl.cluster import Target
    from swarmctl.rebalance.mover import Result
    from swarmctl.rebalance.plan import Proposal

app = typer.Typer()


@app.command()
def rebalance(
    services: Annotated[
        list[str] | None,
        typer.Option("--service", metavar="NAME", help="Only this one; repeatable."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the moves; change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=1, metavar="S", help="Seconds for one replica to run."),
    ] = 120,
    format_: TableOrJson = Format.TABLE,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Spread replicas again after a node has come back; never fewer run than are wanted.

    One replica more, wait until it runs, one less: until the nodes that could take one differ by
    one at most. Exits 0 when that is done or nothing was to do, 1 when it could not be finished, 3
    when a node is down or an experiment is under way, 4 when a service was left with one replica
    too many, 130 interrupted (and put back).
    """
    if dry_run and yes:
        raise UsageError("--dry-run changes nothing, so there is nothing to say --yes to")
    if not (dry_run or yes or sys.stdin.isatty()):
        raise UsageError("nobody can be asked here", "say --dry-run or --yes")
    from swarmctl.cluster import resolve

    target = resolve(cluster, host)
    raise typer.Exit(int(_run(target, services or [], dry_run, yes, timeout, format_)))


def _run(
    target: Target, names: list[str], dry_run: bool, yes: bool, timeout: float, format_: Format
) -> Exit:
    # The same manners as an experiment's: a signal ends it at a moment when nothing is half done.
    from swarmctl.chaos.run.interrupts import Interrupts
    from swarmctl.rebalance.look import refuse_unless_whole, whole_swarm
    from swarmctl.rebalance.move import Means
    from swarmctl.rebalance.mover import carry_out
    from swarmctl.rebalance.plan import propose
    from swarmctl.swarm.engine import SwarmEngine
    from swarmctl.swarm.patience import Patient

    with Interrupts() as signals, target.failover() as swarm:
        swarm.client()  # whoever cannot be reached at all is not waited for
        engine = Patient(SwarmEngine(swarm), timeout, console.note)
        swarm_now = whole_swarm(engine)
        refuse_unless_whole(engine, swarm_now)
        proposals = propose(swarm_now, names)
        moves = sum(len(p.moves) for p in proposals)
        asked = not dry_run and not yes and moves > 0
        if dry_run or not moves or (asked and format_ is Format.TABLE):
            _show(proposals, {}, format_)
        if dry_run or not moves:
            return Exit.OK
        if asked and not typer.confirm(f"Move {moves}?", err=True):
            console.note("nothing was touched")
            return Exit.OK
        signals.careful()
        results = carry_out(proposals, Means(engine, signals, timeout, console.note))
    _show(proposals, {result.proposal.id: result for result in results}, format_)
    return Exit.FAILED if any(result.problem for result in results) else Exit.OK


def _show(proposals: Sequence[Proposal], results: Mapping[str, Result], format_: Format) -> None:
    if format_ is Format.JSON:
        rows = [_as_json(p, results.get(p.id)) for p in proposals]
        console.emit_json({"services": rows})
        return
    touched = [p for p in proposals if p.before]
    if touched:
        console.out().print(_table(touched, results))
    for proposal in proposals:
        result = results.get(proposal.id)
        if result and result.problem:
            console.emit(f"{proposal.service}: not finished: {result.problem}")
        elif proposal.reason:
            words = "" if proposal.before else "left alone: "
            console.emit(f"{proposal.service}: {words}{proposal.reason}")
    console.emit(_sum(proposals, results))


def _sum(proposals: Sequence[Proposal], results: Mapping[str, Result]) -> str:
    planned = sum(len(p.moves) for p in proposals)
    if not planned:
        return "nothing to move"
    if not results:
        return f"{planned} to move" if planned > 1 else "1 replica to move"
    moved = sum(result.moved for result in results.values())
    least = ", ".join(
        f"{r.proposal.service} {r.least}/{r.proposal.replicas}" for r in results.values()
    )
    return f"moved {moved} of {planned}; the fewest seen running: {least}"


def _table(proposals: Sequence[Proposal], results: Mapping[str, Result]) -> Any:
    from rich import box
    from rich.table import Table

    nodes = sorted({node for p in proposals for node in p.before})
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("SERVICE", *nodes, "SPREAD"):
        table.add_column(title, justify="left" if title == "SERVICE" else "right")
    for proposal in proposals:
        after = _after(proposal, results.get(proposal.id))
        cells = [_change(proposal.before.get(n), after.get(n)) for n in nodes]
        spread = _change(proposal.spread(proposal.before), proposal.spread(after))
        table.add_row(proposal.service, *cells, spread)
    return table


def _after(proposal: Proposal, result: Result | None) -> Mapping[str, int]:
    return result.after if result else proposal.after


def _change(before: int | None, after: int | None) -> str:
    if before is None and after is None:
        return ""
    return f"{before or 0} → {after or 0}" if before != after else f"{after}"


def _as_json(proposal: Proposal, result: Result | None) -> dict[str, Any]:
    after = _after(proposal, result)
    return {
        "service": proposal.service,
        "stack": proposal.stack or None,
        "replicas": proposal.replicas,
        "left_alone": not proposal.before,
        "reason": proposal.reason or None,
        "before": dict(proposal.before),
        "after": dict(after),
        "spread_before": proposal.spread(proposal.before),
        "spread_after": proposal.spread(after),
        "moves": [{"from": move.source, "to": move.target} for move in proposal.moves],
        "moved": result.moved if result else 0,
        "least_running": result.least if result else None,
        "problem": (result.problem or None) if result else None,
    }
