"""The plan of a drain, and what was done; the plan of an upgrade."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from swarmctl.cli import console
from swarmctl.cli.show.prediction import prediction_tables
from swarmctl.moves.drain import Drained
from swarmctl.moves.plan import DrainPlan
from swarmctl.upgrade.plan import Step, UpgradePlan
from swarmctl.upgrade.survey import Surveyed
from swarmctl.upgrade.versions import same_release


def show_plan(plan: DrainPlan) -> None:
    """Print what would move where, on stdout; nothing if no node is to be drained."""
    if not plan.nodes:
        return
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
    """Print what was done, on stdout; nothing if no node was to be drained."""
    if not done.plan.nodes:
        return
    names = ", ".join(node.name for node in done.plan.nodes)
    console.emit(f"{names}: drained; {done.left} tasks left there")
    for service, count in done.missing.items():
        console.emit(f"{service}: {count} replicas do not serve")


def show_upgrade(plan: UpgradePlan, survey: Mapping[str, Surveyed]) -> None:
    """Print the steps, in order, with what moves where, on stdout."""
    for number, step in enumerate(plan.steps, 1):
        heading = Text(f"{number}. {_nodes(step, survey)}")
        if step.drain.prediction.loss.moved:
            console.out().print(prediction_tables(step.drain.prediction, heading))
        else:
            console.out().print(heading)
    if plan.current:
        console.emit(f"skipped, nothing to do: {', '.join(plan.current)}")
    for text in plan.remarks:
        console.emit(text)
    for text in plan.objections:
        console.emit(f"! {text}")


def _nodes(step: Step, survey: Mapping[str, Surveyed]) -> str:
    return ", ".join(
        f"{node.name} ({'the leader, ' if node.leader else ''}{_change(survey[node.hostname])})"
        for node in step.nodes
    )


def _change(node: Surveyed) -> str:
    if not same_release(node.running, node.engine):
        engine = f"Engine {node.running or 'that does not answer'} → {node.engine}"
    elif node.installed != node.target:
        engine = f"Engine {node.installed} → {node.target}"
    else:
        engine = f"Engine {node.running}"
    return f"{engine}, {node.os_packages} other packages" if node.os_packages else engine
