"""Options that several commands share, declared once so that ``--help`` is the same everywhere.

Use them as annotations::

    def status(format_: TableOrJson = Format.TABLE, cluster: ClusterOption = None) -> None: ...
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from swarmctl.cli import completion


class Format(StrEnum):
    """Every output format of ``swarmctl``. A command accepts some: ``Literal[Format.JSON, …]``."""

    TABLE = "table"
    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"
    HTML = "html"
    MARKDOWN = "markdown"
    JUNIT = "junit"


TableOrJson = Annotated[
    Literal[Format.TABLE, Format.JSON],
    typer.Option("--format", help="Output format. The JSON is documented and stable."),
]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="NAME",
        autocompletion=completion.clusters,
        help="The cluster's name (its EC2 tag).  [default: $SWARMCTL_CLUSTER, or the only cluster]",
    ),
]
HostOption = Annotated[
    str | None,
    typer.Option(
        "--host",
        metavar="URL",
        help="Connect to this manager instead of asking EC2: "
        "ssh://user@address[:port] or unix:///path.",
    ),
]
RegistryOption = Annotated[
    str,
    typer.Option(
        "--registry",
        metavar="ecr|HOST[/PATH]",
        envvar="SWARMCTL_REGISTRY",
        help="Where the cluster's images are: ecr, or a registry's name.",
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
DeployedArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The name the stack was deployed under.",
        autocompletion=completion.stacks,
    ),
]
RunsDirOption = Annotated[
    Path, typer.Option("--runs-dir", metavar="DIR", help="Directory of journals and reports.")
]
ComposeFileOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--compose-file",
        "-c",
        metavar="FILE",
        help="A compose file; repeatable: later files are merged over the first.",
    ),
]
ValuesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--values",
        metavar="FILE",
        help="YAML file whose values override the stack's values.yml; repeatable.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="A.B=V",
        help="Override one value; V is read as YAML; repeatable. -: read lines A.B=V from stdin.",
    ),
]


def read_assignments(options: Sequence[str] | None) -> list[str]:
    """The values of ``--set``; ``-`` stands for the lines on stdin, which no process list shows."""
    found: list[str] = []
    for option in options or ():
        lines = sys.stdin.read().splitlines() if option == "-" else [option]
        found += [line for line in lines if line.strip()]
    return found


def parse_seconds(text: str | float) -> float:
    """Seconds of ``90``, ``90s``, ``1m30s`` or ``1h``; for options whose value is a time.

    Raises:
        typer.BadParameter: it is none of these, zero, or over three years.
    """
    if (seconds := parse_seconds_or_zero(text)) == 0:
        raise typer.BadParameter(f"{text!r} is not between 0 s and 3 years")
    return seconds


def parse_seconds_or_zero(text: str | float) -> float:
    """As :func:`parse_seconds`; zero is allowed."""
    from swarmctl.reading import quantities

    try:
        seconds = quantities.seconds(str(text).strip())
    except ValueError as fault:
        raise typer.BadParameter(f"{fault}") from fault
    if not 0 <= seconds < 1e8:
        raise typer.BadParameter(f"{text!r} is not between 0 s and 3 years")
    return seconds


def time_option(name: str, help_: str, *, zero: bool = False, default: str | bool = True) -> Any:
    """An option whose value is a time such as ``90s``; annotate it as ``float`` (seconds).

    ``default`` is what the help shows; ``True``: its seconds.
    """
    parser = parse_seconds_or_zero if zero else parse_seconds
    return typer.Option(name, metavar="TIME", parser=parser, help=help_, show_default=default)


def load_balancer_option(verb: str) -> Any:
    """Whether the cluster's load balancer is included; the verb says what is done with it."""
    return typer.Option(
        "--load-balancer/--no-load-balancer",
        help=f"{verb} the load balancer that has the cluster's tag, if there is one.",
    )


TimeoutOption = Annotated[
    float, time_option("--timeout", "Give up after this time, for example 90s or 2m.")
]
