"""``swarmctl lab``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from swarmctl.cli import console
from swarmctl.cli.options import Format, TableOrJson, time_option
from swarmctl.errors import Exit

app = typer.Typer(no_args_is_help=True, help="A local AWS whose EC2 instances are real machines.")

NameOption = Annotated[
    str,
    typer.Option(
        "--name", metavar="LAB", envvar="SWARMCTL_LAB", help="The lab; several can run at once."
    ),
]


def _limit_option(name: str, help_: str) -> Any:
    return typer.Option(name, metavar="SIZE", parser=_limit, help=f"{help_}  [none: no limit]")


def _limit(text: str | int) -> int:
    """Bytes of ``10M``; -1 for ``none``."""
    from swarmctl.reading import quantities

    try:
        return -1 if text in ("none", -1) else quantities.size(str(text))
    except ValueError as fault:
        raise typer.BadParameter(f"{fault}") from fault


@contextlib.contextmanager
def _step(title: str) -> Iterator[None]:
    """Print that a step has begun, then how it ended."""
    started = time.monotonic()
    console.note(f"• {title} …")
    try:
        yield
    except BaseException:
        console.note(f"✗ {title}")
        raise
    console.note(f"✓ {title} ({time.monotonic() - started:.1f} s)")


@app.command()
def up(
    name: NameOption = "lab",
    token_life: Annotated[
        float,
        time_option("--registry-token-life", "How long a password for ECR is good.", default="12h"),
    ] = 12 * 3600.0,
) -> None:
    """Start a lab: images, image mirror, registry, AWS API. The first start builds the images."""
    from swarmctl.lab import lab

    endpoint = lab.up(name, _step, console.note, token_life)
    flag = "" if name == "lab" else f" --name {name}"
    console.note(f'lab {name} is up at {endpoint}; use it with: eval "$(swarmctl lab env{flag})"')


@app.command()
def down(name: NameOption = "lab") -> None:
    """Remove a lab: machines, networks, volumes, process, files. The images stay."""
    from swarmctl.lab import lab

    lab.down(name, _step)


@app.command()
def env(name: NameOption = "lab") -> None:
    """Print the variables that point a shell at the lab: eval "$(swarmctl lab env)"."""
    from swarmctl.lab import lab

    console.emit(lab.shell_exports(lab.environment(name)))


@app.command()
def status(name: NameOption = "lab") -> int:
    """Show the AWS API, its calls, the image mirror, and every instance and load balancer.

    Exit code: 0 the lab is up, 1 only machines of it are left, 2 there is no such lab.
    """
    from swarmctl.cli.show.lab import lab_table
    from swarmctl.lab import control, instances, lab

    found = lab.status(name)
    up = bool(found.endpoint)
    listed, traffic = (instances.listed(name), control.traffic(name)) if up else ((), None)
    console.out().print(lab_table(found, listed, traffic))
    return int(Exit.OK if found.endpoint else Exit.FAILED)


@app.command()
def calls(name: NameOption = "lab", output: TableOrJson = Format.TABLE) -> None:
    """Show the calls to the AWS API since the lab was started: by whom, and what became of them."""
    from swarmctl.cli.show.lab import calls_as_data, calls_table
    from swarmctl.lab import control

    found = control.traffic(name)
    if output is Format.JSON:
        console.emit_json(calls_as_data(found))
    else:
        console.out().print(calls_table(found))


@app.command()
def fault(
    for_s: Annotated[float, time_option("--for", "For how long; 0 ends it.", zero=True)],
    name: NameOption = "lab",
    status: Annotated[
        int | None,
        typer.Option(
            "--status",
            min=500,
            max=599,
            metavar="CODE",
            help="Answer with this status of HTTP.  [default: refuse as if a limit were reached]",
        ),
    ] = None,
    service: Annotated[
        str,
        typer.Option(
            "--service",
            metavar="NAME",
            help="Only the calls of this service, as policies name it: ec2, servicediscovery, "
            "elasticloadbalancing, route53 …",
        ),
    ] = "",
) -> None:
    """Let the AWS API refuse all calls for a while, as AWS does in a bad minute."""
    from swarmctl.lab import control

    control.fail(name, for_s, status or 0, service)
    what = f"HTTP {status}" if status else "throttled"
    console.note(f"{service or 'all services'}: {what} for {for_s:g} s" if for_s else "no fault")


@app.command()
def registry(
    name: NameOption = "lab",
    token_life: Annotated[
        float | None, time_option("--token-life", "How long a new password is good.")
    ] = None,
    end_tokens: Annotated[bool, typer.Option("--end-tokens", help="End all passwords.")] = False,
    room: Annotated[
        int | None, _limit_option("--room", "Take so many bytes more, then say that it is full.")
    ] = None,
    layer: Annotated[
        int | None, _limit_option("--layer-limit", "Refuse layers that are larger.")
    ] = None,
) -> None:
    """Show the registry of ECR, or change how long its passwords last and what it takes."""
    from swarmctl.cli.show.lab import registry_lines
    from swarmctl.lab import control

    asked = {"TokenLife": token_life, "EndTokens": end_tokens, "Room": room, "Layer": layer}
    changes = {key: value for key, value in asked.items() if value is not None}
    console.emit(registry_lines(control.registry(name, **changes)))


@app.command()
def logs(
    node: Annotated[
        str,
        typer.Argument(
            metavar="NODE",
            help="The name or id of a node or load balancer.  [default: the lab itself]",
        ),
    ] = "",
    name: NameOption = "lab",
    lines: Annotated[
        int, typer.Option("-n", "--lines", min=1, metavar="N", help="Number of lines.")
    ] = 50,
) -> None:
    """Print the last lines of a machine's console, or of the lab's own log."""
    from swarmctl.lab import instances

    console.emit(instances.log_of(name, node, lines))


@app.command()
def doctor(
    fix: Annotated[
        bool,
        typer.Option(
            "--fix",
            help="Install and start what is missing, and raise kernel limits until the next "
            "reboot (Debian, Ubuntu; root).",
        ),
    ] = False,
    machines: Annotated[
        int,
        typer.Option(
            "--machines", min=1, max=1000, metavar="N", help="For N machines of all labs together."
        ),
    ] = 10,
) -> int:
    """Check what the lab needs on this machine.

    Exit code: 0 nothing is missing, 1 something is missing.
    """
    from swarmctl.lab import doctor as checks

    if fix:
        checks.fix(_step, machines)
    found = checks.examine(machines)
    for check in found:
        console.emit(check.line())
    return int(Exit.FAILED if any(check.failed for check in found) else Exit.OK)
