"""The Swarm as tables: nodes, services, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from swarmctl.swarm.overview import NodeView, Overview, PublishedPort, ServiceView

# More host ports than these are only counted: ten replicas would fill the table.
SHOWN_PORTS = 3


def status_tables(view: Overview, manager: str) -> RenderableType:
    """The overview as tables.

    Args:
        view: what to show.
        manager: the address of the manager that answered.
    """
    parts: list[RenderableType] = [_summary(view, manager), Text(), _nodes(view.nodes), Text()]
    parts.append(_services(view.services) if view.services else Text("no services", style="dim"))
    if lines := list(_remarks(view.services)):
        parts += [Text(), *lines]
    return Group(*parts)


def _summary(view: Overview, manager: str) -> Text:
    live = sum(node.state == "ready" for node in view.nodes)
    wanted = sum(service.wanted for service in view.services)
    missing = sum(service.missing for service in view.services)
    verdict = ("healthy", "bold green") if view.healthy else ("not healthy", "bold red")
    engines = " and ".join(sorted({node.engine for node in view.nodes if node.engine}))
    return Text.assemble(
        verdict,
        f": {live}/{len(view.nodes)} nodes ready, {wanted - missing}/{wanted} tasks running",
        (f"  (Engine {engines}; from {manager})", "dim"),
    )


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for column in columns:
        name, _, justify = column.partition(":")
        table.add_column(name, justify="right" if justify else "left", overflow="fold")
    return table


def _nodes(nodes: Iterable[NodeView]) -> Table:
    table = _table("NODE", "ROLE", "STATE", "ADDRESS", "ZONE", "TASKS")
    for node in nodes:
        role = Text(node.role)
        if node.leader:
            role.append(" (leader)", style="bold cyan")
        table.add_row(
            Text(node.name, style="bold"),
            role,
            _state(node),
            node.address,
            node.instance.az if node.instance else node.labels.get("az", ""),
            _counts(node.tasks),
        )
    return table


def _state(node: NodeView) -> Text:
    text = Text(node.state, style="green" if node.state == "ready" else "bold red")
    if node.availability != "active":
        text.append(f", {_AVAILABILITY.get(node.availability, node.availability)}", style="yellow")
    if node.reachability == "unreachable":
        text.append(", unreachable", style="bold red")
    if node.instance and node.instance.state != "running":
        text.append(f" (instance {node.instance.state})", style="red")
    return text


_AVAILABILITY = {"drain": "drained", "pause": "paused"}


def _services(services: Iterable[ServiceView]) -> Table:
    table = _table("SERVICE", "RUNNING:right", "WHERE", "PORTS", "IMAGE")
    for service in services:
        table.add_row(
            Text(service.name, style="bold"),
            Text(
                f"{service.running}/{service.wanted}",
                style="bold red" if service.missing else "green",
            ),
            _counts(service.nodes),
            ", ".join(_ports(service.ports)),
            service.image,
        )
    return table


def _remarks(services: Iterable[ServiceView]) -> Iterator[Text]:
    """A line for each missing replica's reason and each unfinished update."""
    for service in services:
        notes = list(service.reasons)
        if service.missing and not notes:
            notes = [f"{service.missing} not created yet"]
        yield from (
            Text.assemble((f"{service.name}: ", "bold"), (note, "red"), overflow="fold")
            for note in notes
        )
        if service.update not in ("", "completed"):
            update = f"update {service.update.replace('_', ' ')}"
            yield Text.assemble((f"{service.name}: ", "bold"), (update, "yellow"))


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" if count > 1 else name for name, count in counts.items())


def _ports(ports: Iterable[PublishedPort]) -> list[str]:
    """``*:80→80`` for the mesh, ``wkr1:32768→80`` for a port of one node."""
    texts = []
    for port in ports:
        protocol = "" if port.protocol == "tcp" else f"/{port.protocol}"
        texts.append(f"{port.node or '*'}:{port.published}→{port.target}{protocol}")
    more = len(texts) - SHOWN_PORTS
    return [*texts[:SHOWN_PORTS], f"{more} more"] if more > 1 else texts
