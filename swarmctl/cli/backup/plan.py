"""``swarmctl backup plan``: which manager would be copied."""

from __future__ import annotations

from swarmctl.cli import console
from swarmctl.cli.backup.options import NodeOption, OnlyOption, StoreOption, reached
from swarmctl.cli.options import ClusterOption, Format, TableOrJson


def plan(
    to: StoreOption = "",
    node: NodeOption = "",
    stop_the_only_manager: OnlyOption = False,
    format_: TableOrJson = Format.TABLE,
    cluster: ClusterOption = None,
) -> None:
    """Choose the follower whose Engine would be stopped. Nothing is changed.

    With --to it fails, too, if that place cannot be used. Exit code 3: quorum would hang on it, or
    something on it would stop.
    """
    from swarmctl.backup.choose import choose_manager
    from swarmctl.backup.store.store import open_store
    from swarmctl.backup.take import look
    from swarmctl.cluster import resolve

    if to:
        open_store(to).files.names()
    target = resolve(cluster)
    with target.failover() as swarm, reached(target) as nodes:
        choice = choose_manager(swarm.snapshot(), node, only=stop_the_only_manager)
        look(nodes, choice)
    if format_ is Format.JSON:
        console.emit_json(
            {"node": choice.node.hostname, "drain": choice.drain, "tasks": choice.tasks}
        )
        return
    first = "runs no task:"
    if choice.tasks:
        first = f"{'is drained of' if choice.drain else 'stops'} {choice.tasks} tasks, and"
    console.emit(f"{choice.node.hostname} {first} its Engine is stopped for some seconds")
