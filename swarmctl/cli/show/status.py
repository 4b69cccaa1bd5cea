"""The Swarm as tables: nodes, services, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.text import Text

from swarmctl.cli.show.table import Column, table
from swarmctl.swarm.overview import NodeView, Overview, PublishedPort, ServiceView

# More host ports than these are only counted: ten replicas would fill the table.
SHOWN_PORTS = 3


def status_tables(view: Overview, manager: str, width: int) -> RenderableType:
    """The overview as tables.

    Args:
        view: what to show.
        manager: the address of the manager that answered.
        width: characters on a line.
    """
    parts: list[RenderableType] = [
        _summary(view, manager),
        Text(),
        _nodes(view.nodes, width),
        Text(),
    ]
    services = view.services
    parts.append(_services(services, width) if services else Text("no services", style="dim"))
    if lines := list(_remarks(view)):
        parts += [Text(), *lines]
    return Group(*parts)


def status_screen(view: Overview, manager: str, console: Console) -> RenderableType:
    """The overview on one screen: the tables if they fit, else a line for each row.

    What is not well comes first, then the services, then the nodes; if the screen is too small even
    for that, the last line counts what is not shown.

    Args:
        view: what to show.
        manager: the address of the manager that answered.
        console: the terminal.
    """
    whole = status_tables(view, manager, console.width)
    room = console.height - 1  # the cursor's line
    if len(console.render_lines(whole, pad=False)) <= room:
        return whole
    lines = [_summary(view, manager), *_important_first(view)]
    if len(lines) > room:
        hidden = len(lines) - room + 1
        lines = [*lines[: room - 1], Text(f"{hidden} more lines do not fit on this screen")]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*lines)


def _important_first(view: Overview) -> Iterator[Text]:
    well = [node for node in view.nodes if _is_well(node)]
    yield from (_line(_node_cells(node)) for node in view.nodes if node not in well)
    yield from _remarks(view)
    for service in sorted(view.services, key=lambda service: not service.missing):
        yield _line((service.name, _running(service), _counts(service.nodes)))
    yield from (_line(_node_cells(node)) for node in well)


def _is_well(node: NodeView) -> bool:
    return node.state == "ready" and node.availability == "active"


def _line(cells: Sequence[str | Text]) -> Text:
    return Text("  ").join(Text(c) if isinstance(c, str) else c for c in cells if str(c))


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


def _nodes(nodes: Iterable[NodeView], width: int) -> RenderableType:
    columns = [Column(title) for title in ("NODE", "ROLE", "STATE", "ADDRESS", "ZONE")]
    return table("", [*columns, Column("TASKS", wraps=True)], map(_node_cells, nodes), width)


def _node_cells(node: NodeView) -> Sequence[str | Text]:
    role = Text(node.role)
    if node.leader:
        role.append(" (leader)", style="bold cyan")
    return (
        Text(node.name, style="bold"),
        role,
        _state(node),
        node.address,
        (node.instance.az if node.instance else "") or node.labels.get("az", ""),
        _counts(node.tasks),
    )


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


def _services(services: Iterable[ServiceView], width: int) -> RenderableType:
    columns = (
        Column("SERVICE"),
        Column("RUNNING", right=True),
        Column("WHERE", wraps=True),
        Column("PORTS", wraps=True),
        Column("IMAGE"),
    )
    return table("", columns, map(_service_cells, services), width)


def _service_cells(service: ServiceView) -> Sequence[str | Text]:
    return (
        Text(service.name, style="bold"),
        _running(service),
        _counts(service.nodes),
        ", ".join(_ports(service.ports)),
        service.image,
    )


def _running(service: ServiceView) -> Text:
    style = "bold red" if service.missing else "green"
    return Text(f"{service.running}/{service.wanted}", style=style)


def _remarks(view: Overview) -> Iterator[Text]:
    """A line for each machine outside, each missing replica's reason and each unfinished update."""
    for machine in view.not_members:
        words = (
            f"{machine.id} is {machine.state} and no node of the Swarm; it joins with: "
            "ansible-playbook playbooks/site.yml"
        )
        yield Text.assemble((f"{machine.name}: ", "bold"), (words, "red"), overflow="fold")
    for service in view.services:
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
