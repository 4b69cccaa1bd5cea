"""Endpoints as a table, and what is not published."""

from __future__ import annotations

from collections.abc import Sequence

from swarmctl.cli import console
from swarmctl.cli.show.table import Column, print_table
from swarmctl.discovery.endpoint import Catalogue, Endpoint

_COLUMNS = (
    Column("NAME", style="bold"), Column("ADDRESS"), Column("NODE"), Column("ZONE"),
    Column("REPLICA"), Column("TARGET"), Column("VERSION"), Column("TAGS"),
)  # fmt: skip


def show_endpoints(found: Catalogue, endpoints: Sequence[Endpoint]) -> None:
    """Print endpoints on stdout, and on stderr why services are not among them."""
    if endpoints:
        print_table("Endpoints", _COLUMNS, [_row(endpoint) for endpoint in endpoints])
    else:
        console.note("no endpoint: nothing that is published serves")
    for problem in found.problems:
        console.note(f"{problem.service}: not published: {problem.text}")
    if found.unpublished:
        names = ", ".join(found.unpublished)
        console.note(f"without a published port, so reachable inside the Swarm only: {names}")


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
