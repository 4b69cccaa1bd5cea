"""``swarmctl chaos report``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from swarmctl.cli import completion, console
from swarmctl.cli.options import Format, RunsDirOption

app = typer.Typer()


class Picture(StrEnum):
    """The format of a picture."""

    SVG = "svg"
    PNG = "png"


@app.command()
def report(
    run: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN…",
            help="The runs.  [default: the newest]",
            autocompletion=completion.runs,
        ),
    ] = None,
    format_: Annotated[
        Literal[Format.HTML, Format.MARKDOWN, Format.JUNIT, Format.JSON],
        typer.Option("--format", help="markdown is for GitHub, junit for CI."),
    ] = Format.HTML,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|DIR",
            help="A file, a directory, or - for standard output.  "
            "[default: html beside the journal, the others to standard output]",
        ),
    ] = None,
    picture: Annotated[
        Picture | None, typer.Option("--picture", help="Also write the picture to a file.")
    ] = None,
    runs_dir: RunsDirOption = Path("runs"),
) -> None:
    """Make the report of a run from its journal, or of several runs side by side."""
    from swarmctl.chaos.journal.runs import Runs
    from swarmctl.chaos.report import report as reports

    runs = Runs(runs_dir)
    journals = reports.load(runs, run or [])
    made = reports.make(runs, journals, format_, output, picture)
    if made.path is None:
        console.emit(made.text)
    else:
        console.emit(f"report: {made.path}")
    # The report itself may be on stdout.
    say = console.note if made.path is None else console.emit
    if made.picture is not None:
        say(f"picture: {made.picture}")
    elif picture:
        console.note("no picture: the run did not reach its fault")
