"""Leftovers: no earlier run in the runs directory waits to be undone."""

from __future__ import annotations

from swarmctl.chaos.run import guards
from swarmctl.chaos.run.context import Context


def check(context: Context) -> None:
    """Refuse at once while an earlier run is not undone.

    Raises:
        RefusedError: names the run and the command that reverts it.
    """
    context.log.guard(guards.nothing_pending(context.log.runs.pending()))
    guards.refuse(context.journal)
