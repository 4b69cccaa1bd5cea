"""``swarmctl chaos validate``, ``init`` and ``schema``: experiments as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.errors import Exit, SwarmctlError, UsageError

app = typer.Typer()


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Experiment files.")],
) -> int:
    """Say what experiment files will do, or all that is wrong with them; asks no cluster.

    Exit code: 0 all are right, 2 something is wrong.
    """
    from swarmctl.chaos.plan import sentence
    from swarmctl.chaos.plan.file.read import load
    from swarmctl.reading.document import BadFileError

    code = Exit.OK
    for file in files:
        try:
            plan = load(file)
        except BadFileError as bad:
            code = Exit.USAGE
            for fault in bad.faults:  # plain lines that editors and CI turn into links
                typer.echo(fault, err=True)
        except UsageError as bad:
            code = Exit.USAGE
            console.error(bad.message, bad.hint)
        else:
            console.emit(f"{file}: ok: {sentence.of(plan)}")
    return int(code)


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("experiment.yml"),
    fault: Annotated[
        str, typer.Option("--fault", help="Of which fault, see `chaos faults`.")
    ] = "instance-stop",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write an example of an experiment file, with comments."""
    from swarmctl.chaos.faults import known_fault
    from swarmctl.chaos.plan.file import example

    kind = known_fault(fault)
    if file.suffix not in (".yml", ".yaml"):
        raise UsageError(f"{file} is no name for a YAML file", "its name must end in .yml or .yaml")
    text = example.write(kind, str(file), file.stem.replace("_", "-")[:80])
    try:
        with file.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise UsageError(f"{file} is there already", "--force replaces it") from error
    except OSError as error:
        raise SwarmctlError(f"cannot write {file}: {error.strerror}") from error
    console.emit(f"wrote {file}; next: swarmctl chaos run {file} --dry-run")


@app.command()
def schema() -> None:
    """Print the JSON Schema of experiment files, for editors and other checkers."""
    from swarmctl.chaos.plan.file import schema as file_schema

    typer.echo(json.dumps(file_schema.schema(), indent=2))
