"""``swarmctl node unlock``: give the unlock key to managers that have restarted."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmctl.cli import completion, console
from swarmctl.cli.options import ClusterOption, TimeoutOption
from swarmctl.errors import UsageError


def unlock(
    nodes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NODE]...",
            help="Full or short names of managers.",
            autocompletion=completion.nodes,
            show_default=False,
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All managers that run.")] = False,
    timeout: TimeoutOption = 60,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show which are locked; change nothing.")
    ] = False,
    cluster: ClusterOption = None,
) -> None:
    """Unlock managers that have restarted with autolock on, with the stored key.

    A manager that is not locked stays as it is. If most managers are locked, unlock them together
    (--all): each becomes ready only when a majority is. Exit codes: 0 none is locked any more;
    1 one still is, or did not answer.
    """
    if bool(nodes) == all_:
        raise UsageError("name managers, or give --all")
    from swarmctl.autolock.store import store_of
    from swarmctl.autolock.switch import managers_of
    from swarmctl.autolock.unlock import unlock as carry_out
    from swarmctl.cluster import resolve
    from swarmctl.reading.names import unknown

    target = resolve(cluster)
    running = target.nodes()
    managers = {name: running[name] for name in managers_of(target) if name in running}
    chosen = {}
    for name in nodes or managers:
        found = next((n for n in managers if n == name or n.endswith(f"_{name}")), None)
        if found is None:
            raise unknown("manager", name, managers)
        chosen[found] = managers[found]
    keys = store_of(target.cluster).read
    for name, state in carry_out(chosen, keys, timeout, dry_run=dry_run).items():
        words = {"unlocked": "unlocked", "locked": "would be unlocked"}
        console.emit(f"{name}: {words.get(state, f'not locked ({state})')}")
