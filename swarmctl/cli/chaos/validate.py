"""``swarmctl chaos validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.errors import Exit, UsageError

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
