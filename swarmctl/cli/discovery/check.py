"""``swarmctl discovery check``: whether everything that names endpoints agrees."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.discovery.sync import LoadBalancerOption
from swarmctl.cli.options import ClusterOption, Format, HostOption, TableOrJson, time_option
from swarmctl.errors import Exit


def check(
    http: Annotated[
        str | None,
        typer.Option(
            "--http",
            metavar="ADDRESS:PORT",
            help="Where Consul's HTTP API listens.  [default: port 8500 of this machine and of the "
            "nodes, where an agent answers]",
        ),
    ] = None,
    dns: Annotated[
        str | None,
        typer.Option(
            "--dns",
            metavar="ADDRESS:PORT",
            help="Where DNS listens.  [default: port 8600 of the same]",
        ),
    ] = None,
    domain: Annotated[
        str, typer.Option("--domain", metavar="NAME", help="The domain that DNS answers for.")
    ] = "consul",
    cloud_map: Annotated[
        str | None,
        typer.Option(
            "--cloud-map",
            metavar="NAMESPACE",
            help="The namespace of Cloud Map.  [default: that with the cluster's tag, if any]",
        ),
    ] = None,
    settle: Annotated[
        float,
        time_option("--settle", "A disagreement counts if it lasts for this time."),
    ] = 2,
    format_: TableOrJson = Format.TABLE,
    load_balancer: LoadBalancerOption = True,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Compare what names the endpoints with the Swarm, and with a real request to each.

    That is the Consul API, DNS, Cloud Map, and the load balancer with a request through it.

    Exit codes: 0 they agree; 1 they do not, and each disagreement is named.
    """
    from swarmctl.cli.discovery.show import reader
    from swarmctl.cluster import named, resolve
    from swarmctl.discovery.check.check import check as compare
    from swarmctl.discovery.check.find import Choice, behind_load_balancer, in_cloud_map
    from swarmctl.discovery.listeners.sockets import parse_place
    from swarmctl.network.access import balanced_services, no_rules
    from swarmctl.network.nodes import ClusterNodes

    chosen = Choice(
        consul=parse_place(http, "--http") if http else None,
        dns=parse_place(dns, "--dns") if dns else None,
        domain=domain.strip("."),
    )
    target = resolve(cluster, host)
    access = ClusterNodes(target, console.note).access()
    with reader(target) as (snapshot, cluster_id):
        found = in_cloud_map(target.cluster, cluster_id(), cloud_map)
        groups, rules = behind_load_balancer(named(target, cluster) if load_balancer else "")
        addresses = ("127.0.0.1", *(instance.address for instance in target.instances))
        agent = tuple(chosen.agent(addresses, {node.name for node in snapshot().nodes}))
        if not agent:
            console.note(
                "no agent of this Swarm can be reached from here: its API and DNS are left out"
            )
        checked = compare(
            snapshot,
            (*agent, *found, *groups),
            settle,
            examinations=rules,
            balanced=lambda s: None if access is no_rules else balanced_services(s, access),
        )
    if format_ is Format.JSON:
        from swarmctl.discovery.as_json import checked_as_json

        console.emit_json(checked_as_json(checked))
    else:
        from swarmctl.cli.show.discovery import show_checked

        show_checked(checked)
    if checked.disagreements:
        raise typer.Exit(int(Exit.FAILED))
