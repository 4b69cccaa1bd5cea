"""``swarmctl chaos run``, ``revert`` and ``faults``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, RunsDirOption
from swarmctl.cli.show.faults import show_faults
from swarmctl.cli.show.history import show_campaign
from swarmctl.cli.show.progress import ConsoleProgress
from swarmctl.cli.show.run import lock_reverted, show_dry_run, show_run
from swarmctl.errors import Exit, UsageError

if TYPE_CHECKING:
    from swarmctl.chaos.fault.selection import Selection
    from swarmctl.chaos.journal.journal import Journal
    from swarmctl.chaos.plan.plan import Plan

app = typer.Typer(no_args_is_help=True)

# Endings of experiment files; anything else is a fault's name.
_FILES = (".yml", ".yaml", ".json")


@app.callback()
def chaos() -> None:
    """Take something away on purpose, prove that the Swarm recovers, put it back."""


@app.command()
def run(
    fault: Annotated[
        str, typer.Argument(metavar="FAULT|FILE", help="See `chaos faults`; or an experiment file.")
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            "-t",
            help="A node's name, given several times for several; or where to draw: leader, "
            "role:R, label:K=V, az:Z, hosts-service:S, service:S (all must hold).",
        ),
    ] = None,
    role: Annotated[
        str | None, typer.Option("--role", help="The same as --target role:ROLE.  [worker]")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", help="How many to draw.  [1]")] = None,
    percent: Annotated[
        float | None, typer.Option("--percent", help="How many to draw, as a share, rounded up.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Repeat a draw; printed when it is not given.")
    ] = None,
    az: Annotated[str | None, typer.Option("--az", help="The same as --target az:ZONE.")] = None,
    force: Annotated[
        bool | None, typer.Option("--force", help="instance-stop: pull the plug.")
    ] = None,
    sever: Annotated[
        str | None,
        typer.Option("--from", help="partition: from managers, workers or all.  [all]"),
    ] = None,
    level: Annotated[
        int | None,
        typer.Option("--level", min=1, max=100, help="cpu, memory, disk-full, loss: per cent."),
    ] = None,
    delay_ms: Annotated[
        int | None, typer.Option("--delay", min=1, help="latency: milliseconds.  [200]")
    ] = None,
    replace_with: Annotated[
        str | None,
        typer.Option("--replace-with", help="instance-terminate: the command that replaces it."),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=1, help="Seconds to recover.  [120]")
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option("--duration", min=0, help="Seconds the fault lasts at least."),
    ] = None,
    probe_service: Annotated[
        str | None,
        typer.Option(
            "--probe-service",
            help="The service to ask over HTTP meanwhile, or none.  [the stacks' published ones]",
        ),
    ] = None,
    override: Annotated[
        list[str] | None,
        typer.Option("--override", help="A guard whose refusal does not count; kept on record."),
    ] = None,
    max_nodes: Annotated[
        int | None, typer.Option("--max-nodes", min=1, help="Blast radius in nodes.  [1]")
    ] = None,
    max_percent: Annotated[
        float | None, typer.Option("--max-percent", help="Blast radius in per cent.  [34]")
    ] = None,
    window: Annotated[
        str | None,
        typer.Option("--window", help="Only then, e.g. 'Mon-Fri 09:00-17:00 Europe/Berlin'."),
    ] = None,
    repeat: Annotated[int | None, typer.Option("--repeat", help="How many times.  [1]")] = None,
    every: Annotated[
        float | None, typer.Option("--every", min=0, help="Seconds from one start to the next.")
    ] = None,
    rolling: Annotated[
        bool | None, typer.Option("--rolling", help="Every eligible node, one after the other.")
    ] = None,
    keep_going: Annotated[
        bool | None, typer.Option("--keep-going", help="Also after a run that was refuted.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would happen, and touch nothing.")
    ] = False,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Also write JUnit XML, for CI.")
    ] = None,
    cluster: ClusterOption = None,
    runs_dir: RunsDirOption = Path("runs"),
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask when nodes are drawn.")
    ] = False,
) -> int:
    """Run an experiment: baseline, guards, undo plan, fault, observation, verdict, revert, report.

    Without --target the node is drawn: any worker may be hit, also the one a service is pinned to;
    at a terminal you are asked first. Exit code: 0 the Swarm recovered, 1 it did not, 2 usage,
    3 a guard refused, 4 the revert failed, 130 interrupted (and reverted).
    """
    given = {
        "target": target, "role": role, "count": count, "percent": percent, "az": az,
        "force": force, "sever": sever, "level": level, "delay_ms": delay_ms,
        "replace_with": replace_with, "timeout": timeout, "duration": duration,
        "probe_service": probe_service, "max_nodes": max_nodes, "max_percent": max_percent,
        "window": window, "repeat": repeat, "every": every, "rolling": rolling,
        "keep_going": keep_going,
    }  # fmt: skip
    said = {name: value for name, value in given.items() if value is not None}
    if fault.endswith(_FILES):
        plan = _from_file(Path(fault), said, seed, override or [])
    else:
        plan = _from_words(fault, said, seed, override or [])
    from swarmctl.chaos.report.junit_file import recorded

    name = f"chaos {plan.title or plan.fault}"
    with recorded(None if dry_run else junit, name, console.note) as seen:
        return _run(plan, cluster, runs_dir, seen, dry_run=dry_run, yes=yes)


@app.command()
def faults() -> None:
    """List the faults: what each does, and how it is undone."""
    from swarmctl.chaos.faults import FAULTS

    show_faults(FAULTS.values())


@app.command()
def revert(
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Which run.  [all that need it]")
    ] = None,
    from_swarm: Annotated[
        bool,
        typer.Option("--from-swarm", help="The run whose plan is in the Swarm's chaos lock."),
    ] = False,
    cluster: ClusterOption = None,
    runs_dir: RunsDirOption = Path("runs"),
) -> int:
    """Undo what a run left behind, for example after kill -9. Can be repeated without harm."""
    from swarmctl.chaos.experiments import Experiments
    from swarmctl.chaos.journal.runs import Runs

    progress = ConsoleProgress()
    experiments = Experiments(Runs(runs_dir), progress, cluster)
    try:
        if from_swarm:
            console.emit(lock_reverted(experiments.revert_from_swarm()))
            return int(Exit.OK)
        reverted = experiments.revert(run_id)
    finally:
        progress.close()
    for one in reverted:
        console.emit(f"reverted {one}")
    if not reverted:
        named = f"run {run_id}" if run_id else f"no run in {runs_dir}"
        console.emit(f"{named}: nothing left to undo")
    return int(Exit.OK)


# -- what was asked for ----------------------------------------------------------------------------


def _from_words(fault: str, said: dict[str, Any], seed: int | None, override: list[str]) -> Plan:
    from swarmctl.chaos.faults import known_fault
    from swarmctl.chaos.plan import window as windows
    from swarmctl.chaos.plan.hypothesis import Hypothesis
    from swarmctl.chaos.plan.limits import Limits
    from swarmctl.chaos.plan.plan import Plan

    kind = known_fault(fault)
    names = ("force", "sever", "level", "delay_ms", "replace_with")
    options = kind.check_options({name: said[name] for name in names if name in said})
    sizes = {name: said[name] for name in ("max_nodes", "max_percent") if name in said}
    return Plan(
        fault=fault,
        selection=_selection(said, seed, kind.selection),
        hypothesis=Hypothesis(within_s=said.get("timeout", 120.0)),
        options=options,
        duration_s=said.get("duration"),
        limits=Limits(
            **sizes,
            window=windows.parse(said["window"]) if "window" in said else None,
            overrides=_overrides(override),
        ),
        probe_service=said.get("probe_service"),
        repeat=said.get("repeat", 1),
        every_s=said.get("every", 0.0),
        rolling=said.get("rolling", False),
        keep_going=said.get("keep_going", False),
    )


def _selection(said: dict[str, Any], seed: int | None, usual: Selection) -> Selection:
    from swarmctl.chaos.fault.selection import Selection, merge, parse

    fields = parse(said.get("target", ()))
    fields |= {k: said[v] for k, v in (("role", "role"), ("zone", "az")) if v in said}
    sizes: dict[str, Any] = {k: said[k] for k in ("count", "percent") if k in said}
    if not fields.get("names"):
        return merge(usual, {**fields, **sizes, "seed": seed})
    if sizes or seed is not None or "role" in said or "az" in said:
        raise UsageError(
            "--target names the nodes; --role, --az, --count, --percent and --seed draw them",
            "use one way or the other",
        )
    return Selection(**fields)


def _from_file(path: Path, said: dict[str, Any], seed: int | None, override: list[str]) -> Plan:
    from swarmctl.chaos.plan.file.read import load

    if said:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in said)
        raise UsageError(f"{path} says it all: leave out {names}", "or change the file")
    plan = load(path)
    if seed is not None:
        plan = replace(plan, selection=replace(plan.selection, seed=seed))
    overrides = plan.limits.overrides | _overrides(override)
    return replace(plan, limits=replace(plan.limits, overrides=overrides))


def _overrides(names: Sequence[str]) -> frozenset[str]:
    from swarmctl.chaos.plan.limits import OVERRIDABLE
    from swarmctl.reading.names import unknown

    for name in names:
        if name not in OVERRIDABLE:
            raise unknown("guard", name, OVERRIDABLE)
    return frozenset(names)


# -- doing it --------------------------------------------------------------------------------------


def _run(
    plan: Plan,
    cluster: str | None,
    runs_dir: Path,
    seen: list[Journal],
    *,
    dry_run: bool,
    yes: bool,
) -> int:
    from swarmctl.chaos.experiments import Experiments
    from swarmctl.chaos.faults import known_fault
    from swarmctl.chaos.journal.runs import Runs
    from swarmctl.chaos.report import html as report

    kind, runs, progress = known_fault(plan.fault), Runs(runs_dir), ConsoleProgress()
    if kind.irreversible and not yes and not dry_run and not sys.stdin.isatty():
        raise UsageError(f"{kind.name} can't be undone as it was: {kind.undo}", "say so with --yes")
    experiments = Experiments(runs, progress, cluster)

    def ended(journal: Journal) -> None:
        progress.close()
        seen.append(journal)
        if journal.moment("fault") is not None:
            show_run(journal, report.write(runs, journal))

    try:
        if dry_run:
            journal = experiments.rehearse(plan)
            progress.close()
            show_dry_run(journal, plan)
            return int(Exit.REFUSED if journal.refusals else Exit.OK)
        ask = progress.ask if sys.stdin.isatty() and not yes else None
        campaign = experiments.run(plan, ask, ended)
    finally:
        progress.close()
    if campaign.planned > 1:
        show_campaign(campaign.journals, campaign.planned)
    return int(Exit.OK if campaign.held else Exit.FAILED)
