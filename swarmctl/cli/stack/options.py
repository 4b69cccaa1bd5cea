"""Options that several ``swarmctl stack`` commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from swarmctl.cli.options import time_option

StackArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME|PATH",
        help="A stack's name, folder or compose file; with -c, the name to deploy under.",
        show_default=False,
    ),
]
DeployedArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The name the stack was deployed under.")
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
NameOption = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="Deploy under this name.  [default: the stack's]"),
]
PruneOption = Annotated[
    bool,
    typer.Option("--prune/--no-prune", help="Remove services that are no longer in the file."),
]
ResolveOption = Annotated[
    Literal["always", "changed", "never"],
    typer.Option(
        "--resolve-image",
        metavar="WHEN",
        help="When to ask the registry for an image's digest: always, changed (if the image's "
        "name has changed) or never.",
    ),
]
AuthOption = Annotated[
    bool,
    typer.Option(
        "--with-registry-auth", help="Send this machine's Docker credentials to the nodes."
    ),
]
SecretOption = Annotated[
    list[str] | None,
    typer.Option(
        "--make-secret",
        metavar="NAME",
        help="Create this external secret with a random value if it does not exist; repeatable.",
    ),
]
SettleOption = Annotated[
    float,
    time_option("--settle", "How long the final state must last, for example 2s.", zero=True),
]
