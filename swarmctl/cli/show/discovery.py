"""Endpoints as a table, and what is not published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swarmctl.cli import console
from swarmctl.cli.show.table import Column, print_table
from swarmctl.discovery.check.check import Checked
from swarmctl.discovery.endpoint import Catalogue, Endpoint

_COLUMNS = (
    Column("NAME", style="bold"), Column("ADDRESS"), Column("NODE"), Column("ZONE"),
    Column("REPLICA"), Column("TARGET"), Column("VERSION"), Column("TAGS"),
)  # fmt: skip

_URLS = (Column("SERVICE", style="bold"), Column("URL"))

_DISAGREEMENTS = (
    Column("NAME", style="bold"), Column("ADDRESS"), Column("SOURCE"),
    Column("DISAGREEMENT", wraps=True), Column("SINCE"),
)  # fmt: skip


def show_endpoints(
    found: Catalogue,
    endpoints: Sequence[Endpoint],
    service: str | None,
    urls: Mapping[str, Sequence[str]],
) -> None:
    """Print endpoints on stdout, and on stderr why services are not among them.

    Args:
        found: the catalogue.
        endpoints: of it, what to show.
        service: whose they are; ``None`` for all.
        urls: of services behind a load balancer, by the Swarm's name.
    """
    if endpoints:
        print_table("Endpoints", _COLUMNS, [_row(endpoint) for endpoint in endpoints])
    else:
        console.note("no endpoint: nothing that is published serves")
    if urls:
        rows = [(name, url) for name, found_urls in urls.items() for url in found_urls]
        print_table("Behind the load balancer", _URLS, rows)
    shown = {service, *(endpoint.service for endpoint in endpoints)} if service else None
    for problem in found.problems:
        if shown is None or problem.service in shown:
            console.note(f"{problem.service}: not published: {problem.text}")
    unpublished = [name for name in found.unpublished if shown is None or name in shown]
    if unpublished:
        names = ", ".join(unpublished)
        console.note(f"without a published port, so reachable inside the Swarm only: {names}")


def show_checked(checked: Checked) -> None:
    """Print each disagreement, or that there is none."""
    endpoints, names = checked.catalogue.endpoints, {e.name for e in checked.catalogue.endpoints}
    what = f"{len(endpoints)} endpoints of {len(names)} names, {checked.requested} requests"
    if not checked.disagreements:
        agreeing = ["Swarm", *checked.sources, *(["the endpoints"] if checked.requested else [])]
        console.emit(f"{what}: {', '.join(agreeing[:-1])} and {agreeing[-1]} agree")
        return
    rows = [(d.name, d.place, d.source, d.text, d.since[:19]) for d in checked.disagreements]
    print_table("Disagreements", _DISAGREEMENTS, rows)
    console.emit(f"{what}: {len(rows)} disagreement{'s' if len(rows) > 1 else ''}")


def _row(endpoint: Endpoint) -> tuple[str, ...]:
    replica = f"{endpoint.service}.{endpoint.slot or endpoint.node}"
    return (
        endpoint.name,
        endpoint.place,
        endpoint.node,
        endpoint.zone,
        replica if endpoint.task else f"{endpoint.service} (any, by the mesh)",
        f"{endpoint.target}/{endpoint.protocol}",
        endpoint.version,
        ", ".join(endpoint.tags),
    )
