"""``swarmctl chaos init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.errors import SwarmctlError, UsageError

app = typer.Typer()


@app.command()
def init(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The file to write.")] = Path(
        "experiment.yml"
    ),
    fault: Annotated[
        str,
        typer.Option("--fault", metavar="FAULT", help="The fault; `chaos faults` lists them."),
    ] = "instance-stop",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write an example of an experiment file, with comments."""
    from swarmctl.chaos.faults import FAULTS
    from swarmctl.chaos.plan.document import example

    kind = FAULTS[fault]
    if file.suffix not in (".yml", ".yaml"):
        raise UsageError(f"{file} is not a YAML file", "its name must end in .yml or .yaml")
    text = example.write(kind, str(file), file.stem.replace("_", "-")[:80])
    try:
        with file.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise UsageError(f"{file} already exists", "--force replaces it") from error
    except OSError as error:
        raise SwarmctlError(f"cannot write {file}: {error.strerror}") from error
    console.emit(f"wrote {file}; next: swarmctl chaos run {file} --dry-run")
