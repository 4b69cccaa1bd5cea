"""``swarmctl web``: a page that shows the Swarm, served until a signal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, HostOption, RunsDirOption, time_option

app = typer.Typer()


@app.command()
def web(
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, metavar="N", help="TCP port; 0 for any free one."),
    ] = 8642,
    listen: Annotated[
        str,
        typer.Option(
            "--listen",
            metavar="ADDRESS",
            help="The address to listen on. Others than loopback need a password.",
        ),
    ] = "127.0.0.1",
    password_file: Annotated[
        Path | None,
        typer.Option(
            "--password-file",
            metavar="FILE",
            help="The password is the first line of this file; the user is swarm.",
        ),
    ] = None,
    open_: Annotated[
        bool, typer.Option("--open", help="Open the page in this machine's browser.")
    ] = False,
    interval: Annotated[float, time_option("--interval", "Time between two snapshots.")] = 0.5,
    runs_dir: RunsDirOption = Path("runs"),
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Serve a page that shows the Swarm live, until Ctrl-C or SIGTERM. It can change nothing."""
    from swarmctl.cli.discovery.signals import until_signal
    from swarmctl.cluster import resolve
    from swarmctl.discovery.listeners.sockets import parse_place
    from swarmctl.web.serve import Options, read_password, serve

    address = f"[{listen}]" if ":" in listen else listen
    options = Options(
        place=parse_place(f"{address}:{port}", "--listen"),
        password=read_password(password_file) if password_file else "",
        interval=interval,
        runs=runs_dir,
        cluster=cluster or "",
    )

    def ready(url: str) -> None:
        console.note(f"the Swarm is shown at {url} (Ctrl-C ends it)")
        if open_:
            import webbrowser

            webbrowser.open(url)

    with until_signal() as stop:
        serve(lambda: resolve(cluster, host), options, ready, stop)
