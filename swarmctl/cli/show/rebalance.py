"""A rebalance as a table: replicas by node, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swarmctl.cli import console
from swarmctl.cli.show.table import Column, print_table
from swarmctl.rebalance.execute import Result
from swarmctl.rebalance.plan import Proposal


def show_rebalance(proposals: Sequence[Proposal], results: Mapping[str, Result]) -> None:
    """Print the plan, or with results (by service id) what was done, on stdout."""
    if touched := [p for p in proposals if p.before]:
        _print_table(touched, results)
    for proposal in proposals:
        result = results.get(proposal.id)
        if result and result.problem:
            console.emit(f"{proposal.service}: not finished: {result.problem}")
        elif proposal.reason:
            prefix = "" if proposal.before else "left alone: "
            console.emit(f"{proposal.service}: {prefix}{proposal.reason}")
    console.emit(_summary(proposals, results))


def _summary(proposals: Sequence[Proposal], results: Mapping[str, Result]) -> str:
    planned = sum(len(p.moves) for p in proposals)
    if not planned:
        return "nothing to move"
    if not results:
        return f"{planned} replica{'s' if planned > 1 else ''} to move"
    moved = sum(result.moved for result in results.values())
    fewest = ", ".join(
        f"{r.proposal.service} {r.fewest}/{r.proposal.replicas}" for r in results.values()
    )
    return f"moved {moved} of {planned}; fewest running: {fewest}"


def _print_table(proposals: Sequence[Proposal], results: Mapping[str, Result]) -> None:
    nodes = sorted({node for p in proposals for node in p.before})
    columns = [Column("SERVICE"), *(Column(name, right=True) for name in (*nodes, "SPREAD"))]
    rows = []
    for proposal in proposals:
        result = results.get(proposal.id)
        after = result.after if result else proposal.after
        cells = [_change(proposal.before.get(n), after.get(n)) for n in nodes]
        spread = _change(proposal.spread(proposal.before), proposal.spread(after))
        rows.append([proposal.service, *cells, spread])
    print_table("", columns, rows)


def _change(before: int | None, after: int | None) -> str:
    if before is None and after is None:
        return ""
    return f"{before or 0} → {after or 0}" if before != after else f"{after}"
