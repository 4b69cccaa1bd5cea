"""Options that several ``swarmctl stack`` commands have."""

from __future__ import annotations

from typing import Annotated

import typer

DeployedArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The name the stack was deployed under.")
]
