"""What Tab offers for the values of arguments and options.

Each function gets the command line so far and the word under the cursor. They read a few small
files at most, see :mod:`swarmctl.known_names`, and import nothing heavy.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from swarmctl import known_names

Complete = Callable[[typer.Context, str], list[str]]


def clusters(ctx: typer.Context, incomplete: str) -> list[str]:
    """Clusters that this machine has keys of."""
    del ctx
    return _matching(incomplete, known_names.clusters())


def nodes(ctx: typer.Context, incomplete: str) -> list[str]:
    """Nodes by their full names; also the last of several separated by commas."""
    head, comma, last = incomplete.rpartition(",")
    return [f"{head}{comma}{name}" for name in _matching(last, _known(ctx, "nodes"))]


def targets(ctx: typer.Context, incomplete: str) -> list[str]:
    """What ``--target`` takes: nodes, and the leader."""
    return _matching(incomplete, [*_known(ctx, "nodes"), "leader"])


def services(ctx: typer.Context, incomplete: str) -> list[str]:
    """Services."""
    return _matching(incomplete, _known(ctx, "services"))


def stacks(ctx: typer.Context, incomplete: str) -> list[str]:
    """Deployed stacks."""
    return _matching(incomplete, _known(ctx, "stacks"))


def zones(ctx: typer.Context, incomplete: str) -> list[str]:
    """Availability zones."""
    return _matching(incomplete, _known(ctx, "zones"))


def stack_sources(ctx: typer.Context, incomplete: str) -> list[str]:
    """Stacks in ``stacks/``; the shell itself completes paths."""
    del ctx
    from swarmctl.stack.render.folders import stack_names

    return _matching(incomplete, known_names.safe(stack_names()))


def runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Runs in ``--runs-dir``, the newest first."""
    root = Path(ctx.params.get("runs_dir") or "runs")
    found = known_names.safe(path.parent.name for path in root.glob("*/journal.json"))
    return _matching(incomplete, reversed(found))


def faults(ctx: typer.Context, incomplete: str) -> list[str]:
    """Faults, by the names of their files: importing them would take too long."""
    del ctx
    folder = Path(__file__).parent.parent / "chaos" / "faults"
    names = (path.stem.replace("_", "-") for path in folder.glob("[a-z]*.py"))
    return _matching(incomplete, sorted(names))


def guards(ctx: typer.Context, incomplete: str) -> list[str]:
    """Guards."""
    del ctx
    from swarmctl.chaos.plan.limits import Guard

    return _matching(incomplete, Guard)


def _known(ctx: typer.Context, kind: str) -> list[str]:
    cluster = ctx.params.get("cluster") or os.environ.get("SWARMCTL_CLUSTER")
    return known_names.known(kind, cluster)


def _matching(incomplete: str, names: Iterable[str]) -> list[str]:
    return [str(name) for name in names if name.startswith(incomplete)]
