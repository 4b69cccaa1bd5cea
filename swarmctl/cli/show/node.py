"""The plan of a drain, and what was done."""

from __future__ import annotations

from rich.text import Text

from swarmctl.cli import console
from swarmctl.cli.show.prediction import prediction_tables
from swarmctl.moves.drain import Drained
from swarmctl.moves.plan import DrainPlan


def show_plan(plan: DrainPlan) -> None:
    """Print what would move where, on stdout."""
    names = ", ".join(node.name for node in plan.nodes)
    moved = sum(plan.prediction.loss.moved.values())
    count = "1 replica moves" if moved == 1 else f"{moved} replicas move"
    heading = Text.assemble("drain ", (names, "bold"), f": {count}; ")
    heading.append(f"{len(plan.endpoints)} endpoints are withdrawn first")
    console.out().print(prediction_tables(plan.prediction, heading))
    for name in plan.first_elsewhere:
        console.emit(f"{name}: runs there only: one more replica starts elsewhere first")
    for text in plan.remarks:
        console.emit(text)
    for text in plan.objections:
        console.emit(f"! {text}")


def show_drained(done: Drained) -> None:
    """Print what was done, on stdout."""
    names = ", ".join(node.name for node in done.plan.nodes)
    console.emit(f"{names}: drained; {done.left} tasks left there")
    for service, count in done.missing.items():
        console.emit(f"{service}: {count} replicas do not serve")
