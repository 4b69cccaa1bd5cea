"""``swarmctl chaos validate``, ``init`` and ``schema``: experiment files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.errors import Exit, SwarmctlError, UsageError
from swarmctl.reading.commands import word

app = typer.Typer()


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Experiment files.")],
) -> int:
    """Check experiment files without a cluster, and print what each will do.

    Exit code: 0 all files are valid, 2 a file has mistakes.
    """
    from swarmctl.chaos.plan.document.read import plan_from_file
    from swarmctl.chaos.plan.summary import summarise
    from swarmctl.reading.document import BadFileError

    code = Exit.OK
    for file in files:
        try:
            plan = plan_from_file(file)
        except BadFileError as error:
            code = Exit.USAGE
            for fault in error.faults:  # plain lines that editors and CI turn into links
                typer.echo(fault, err=True)
        except UsageError as error:
            code = Exit.USAGE
            console.error(error.message, error.hint)
        else:
            console.emit(f"{file}: ok: {summarise(plan)}")
    return int(code)


@app.command()
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")] = Path(
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
    console.emit(f"wrote {file}; next: swarmctl chaos run {word(str(file))} --dry-run")


@app.command()
def schema() -> None:
    """Print the JSON Schema of experiment files, for editors and other tools."""
    from swarmctl.chaos.plan.document.schema import schema

    console.emit_json(schema())
