"""``swarmctl discovery run``: the agent, in the foreground until a signal ends it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.discovery.sync import CLOUD_MAP_HELP, LoadBalancerOption, in_aws
from swarmctl.cli.options import ClusterOption, HostOption, time_option


def run(
    http: Annotated[
        str, typer.Option("--http", metavar="ADDRESS:PORT", help="Where Consul's HTTP API listens.")
    ] = "127.0.0.1:8500",
    dns: Annotated[
        str, typer.Option("--dns", metavar="ADDRESS:PORT", help="Where DNS listens, UDP and TCP.")
    ] = "127.0.0.1:8600",
    interval: Annotated[float, time_option("--interval", "Time between two polls.")] = 0.5,
    datacenter: Annotated[
        str, typer.Option("--datacenter", metavar="NAME", help="The datacentre's name.")
    ] = "dc1",
    domain: Annotated[
        str, typer.Option("--domain", metavar="NAME", help="The domain that DNS answers for.")
    ] = "consul",
    kv_prefix: Annotated[
        str,
        typer.Option(
            "--kv-prefix",
            metavar="TEXT",
            help="Show Swarm configs whose names begin with it in the key/value store.  "
            "[default: show none]",
        ),
    ] = "",
    cloud_map: Annotated[
        str | None,
        typer.Option(
            "--cloud-map", metavar="NAMESPACE", help=f"Publish there too. {CLOUD_MAP_HELP}"
        ),
    ] = None,
    load_balancer: LoadBalancerOption = True,
    registry_refresh: Annotated[
        bool,
        typer.Option(
            "--registry-refresh/--no-registry-refresh",
            help="Renew the services' pull credentials, too, as `swarmctl registry refresh` does.",
        ),
    ] = False,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Publish what serves until SIGTERM or Ctrl-C: Consul's HTTP API and DNS (read-only), AWS.

    There is no access control: who reaches the port reads the catalogue. While no manager answers,
    the last one is served; its age is in the header X-Consul-LastContact and in /metrics.
    """
    import platform
    from importlib.metadata import version

    from swarmctl.cli.discovery.signals import until_signal
    from swarmctl.cluster import resolve
    from swarmctl.discovery.consul.identity import Identity
    from swarmctl.discovery.listeners.sockets import parse_place
    from swarmctl.discovery.serve import Options, serve

    options = Options(
        http=parse_place(http, "--http"),
        dns=parse_place(dns, "--dns"),
        identity=Identity(datacenter, domain.strip("."), platform.node(), version("swarmctl")),
        interval=interval,
        kv_prefix=kv_prefix,
        aws=lambda target: in_aws(target, cluster, cloud_map, load_balancer=load_balancer),
        registry_refresh=registry_refresh,
    )
    with until_signal() as stop:
        serve(lambda: resolve(cluster, host), options, _log, stop)
    _log("ended")


def _log(text: str) -> None:
    now = datetime.now(UTC).isoformat(sep=" ", timespec="milliseconds")
    console.note(f"{now.removesuffix('+00:00')}Z {text}")
