"""What a finished run found, and what a dry run would do, on stdout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from swarmctl.chaos.experiments import LockReverted
from swarmctl.chaos.journal import phases
from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.plan.plan import Plan
from swarmctl.chaos.report import placement, stale, timeline, words
from swarmctl.chaos.report.run_summary import overridden
from swarmctl.cli import console
from swarmctl.cli.show.table import Column, print_table

_PROBE_COLUMNS = (
    Column("service"),
    *(Column(name, right=True) for name in ("sent", "lost", "longest outage", "median", "99 %")),
    Column("failures", wraps=True),
)


def show_run(journal: Journal, path: Path) -> None:
    """The result: timeline, placement, probes, verdict, and where the report is."""
    columns = (Column("since fault", right=True), Column("event", wraps=True), Column("source"))
    events = [(f"{row.at_s:+.1f} s", row.what, row.source) for row in timeline.rows(journal)]
    print_table("Timeline", columns, events)
    _show_placement(journal)
    _show_probes(journal)
    _show_stale(journal)
    out = console.out()
    out.print(Text(phases.line(journal)), soft_wrap=True)
    if words.watched(journal):
        out.print(Text(words.watched(journal), style="dim"), soft_wrap=True)
    for line in _warnings(journal):
        out.print(line, soft_wrap=True)
    style = {"held": "bold green", "refuted": "bold red"}.get(journal.outcome, "bold yellow")
    out.print(Text(words.result(journal), style=style), soft_wrap=True)
    console.emit(f"report: {path}")


def _warnings(journal: Journal) -> list[Text]:
    """Whether the prediction came true, overridden guards, and duplicates."""
    lines = []
    if journal.agreement is not None:
        style = "green" if journal.agreement.agrees else "yellow"
        lines.append(Text(f"placement {words.agreement(journal)}", style=style))
    guards = ", ".join(guard.name for guard in overridden(journal))
    if guards:
        lines.append(Text(f"! guards overridden: {guards}", style="bold yellow"))
    if words.duplicates(journal):
        lines.append(Text(f"! {words.duplicates(journal)}", style="bold yellow"))
    return lines


def _show_placement(journal: Journal) -> None:
    """Replicas by service and node with the predicted range, red where it was missed."""
    if not journal.after:
        return
    compared = {
        (row.service, node): predicted
        for row in placement.comparisons(journal)
        for node, predicted in zip(placement.compared_nodes(journal), row.nodes, strict=True)
    }
    nodes, targets = placement.nodes(journal), {target.node for target in journal.targets}
    columns = [
        Column("service"),
        *(Column(node, right=True, style="red" if node in targets else "") for node in nodes),
        Column("total", right=True),
    ]
    rows = []
    for row in placement.placements(journal):
        cells: list[str | Text] = [row.service]
        for node, counts in zip(nodes, row.nodes, strict=True):
            predicted = compared.get((row.service, node))
            text = f"{counts.before} → {counts.after}" + (f" ({predicted})" if predicted else "")
            differs = predicted is not None and predicted.differs
            cells.append(Text(text, style="bold red" if differs else ""))
        rows.append([*cells, f"{row.total.before} → {row.total.after}"])
    predicted_too = " (predicted)" if compared else ""
    print_table(f"Placement, before the fault → at the verdict{predicted_too}", columns, rows)


def _show_probes(journal: Journal) -> None:
    for title, probes in (
        ("Probes", journal.probes),
        ("Through the load balancer", journal.load_balancer),
        ("Clients of every node, lost ones included", journal.every_node),
    ):
        if not probes:
            continue
        rows = [
            (
                probe.service,
                str(probe.sent),
                str(probe.lost),
                f"{probe.longest_outage_s:.1f} s",
                f"{probe.median_ms:.0f} ms",
                f"{probe.p99_ms:.0f} ms",
                ", ".join(f"{n} of {text}" for text, n in probe.failures.items()) or "none",
            )
            for probe in probes
        ]
        print_table(title, _PROBE_COLUMNS, rows)


def _show_stale(journal: Journal) -> None:
    """How long each listener named endpoints that did not serve; the report has each endpoint."""
    rows = stale.summary(journal)
    columns = [Column(name, right=index > 0) for index, name in enumerate(stale.SUMMARY_COLUMNS)]
    if rows:
        print_table(stale.TITLE, columns, rows)
    for note in stale.notes(journal):
        console.out().print(Text(f"! {note}", style="yellow"), soft_wrap=True)


def show_dry_run(journal: Journal, plan: Plan) -> None:
    """What a run would do: targets, guards, prediction, undo plan."""
    columns: Sequence[Column] = [Column(n) for n in ("target", "role", "instance", "address")]
    targets = [(t.what, t.role, t.instance_id, t.address) for t in journal.targets]
    print_table("Targets", columns, targets)
    columns = (Column("guard"), Column("result"), Column("reason", wraps=True))
    guards = [
        (g.name, "passes" if g.ok else "overridden" if g.overridden else "refuses", g.detail)
        for g in journal.guards
    ]
    print_table("Guards", columns, guards)
    _show_prediction(journal)
    columns = (Column("step"), Column("node"), Column("command by hand", wraps=True))
    undo = [(step.action, step.node, step.by_hand) for step in journal.undo.steps]
    print_table("Undo plan", columns, undo)
    console.out().print(Text(f"Hypothesis: {journal.hypothesis}"), soft_wrap=True)
    rounds = f", {plan.repeat} times" if plan.repeat > 1 else ""
    rounds += ", rolling over the nodes" if plan.rolling else ""
    console.emit(f"dry run of {journal.experiment}{rounds}: nothing was touched")


def lock_reverted(found: LockReverted) -> str:
    """How the Swarm's chaos lock was handled."""
    if not found.owner:
        return "the Swarm's chaos lock is free: nothing left to undo"
    if found.rebalanced:
        return f"undid the rebalance of {found.owner}: no service has a replica too many"
    if not found.run_id:
        return f"released the lock of {found.owner}; it held no plan"
    return f"reverted {found.run_id}"


def _show_prediction(journal: Journal) -> None:
    prediction = journal.prediction
    if prediction is None:
        return
    nodes = placement.compared_nodes(journal)
    columns = [Column("service"), *(Column(n, right=True) for n in (*nodes, "pending"))]
    rows = [
        (row.service, *map(str, row.nodes), str(row.pending))
        for row in placement.comparisons(journal)
    ]
    print_table(f"Prediction: {words.possible_outcomes(prediction)}", columns, rows)
    for service, reason in prediction.reasons.items():
        console.out().print(Text(f"pending {service}: {reason}"), soft_wrap=True)
