"""``swarmctl chaos report`` and ``history``: what is left to see of runs that are over."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from swarmctl.cli import console
from swarmctl.cli.options import Format, RunsDirOption, TableOrJson
from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.reading.names import unknown

if TYPE_CHECKING:
    from swarmctl.chaos.journal.journal import Journal
    from swarmctl.chaos.journal.runs import Runs
    from swarmctl.chaos.report.facts import Facts

app = typer.Typer()

# The formats of a report.
ReportFormat = Literal[Format.HTML, Format.MARKDOWN, Format.JUNIT, Format.JSON]


class Picture(StrEnum):
    """What a picture is written as."""

    SVG = "svg"
    PNG = "png"


# What a report is called in a directory.
_NAMES = {
    Format.HTML: "report.html",
    Format.MARKDOWN: "report.md",
    Format.JUNIT: "report.xml",
    Format.JSON: "report.json",
}


@app.command()
def report(
    run: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]…", help="Which runs.  [the newest]")
    ] = None,
    format_: Annotated[
        ReportFormat, typer.Option("--format", help="markdown is for GitHub, junit for CI.")
    ] = Format.HTML,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|DIR",
            help="Where to.  [html: beside the journal; the others: standard output]",
        ),
    ] = None,
    picture: Annotated[
        Picture | None, typer.Option("--picture", help="Also write the picture, as a file.")
    ] = None,
    runs_dir: RunsDirOption = Path("runs"),
) -> None:
    """Make the report of a run from its journal, or of several runs side by side."""
    from swarmctl.chaos.journal.runs import Runs

    runs = Runs(runs_dir)
    journals = _load(runs, run or [])
    place = _place(runs, journals, format_, output)
    drawn = _draw(runs, journals, place, picture) if picture else None
    text = _text(journals, format_, _reference(drawn, place))
    if place is None:
        console.emit(text)
    else:
        from swarmctl.chaos.report.html import put

        put(place, text)
        console.emit(f"report: {place}")
    if drawn is not None:
        # Not on stdout when the report itself is there.
        (console.note if place is None else console.emit)(f"picture: {drawn}")


def _load(runs: Runs, named: Sequence[str]) -> list[Journal]:
    if not named:
        found = runs.ids()
        if not found:
            raise UsageError(
                f"no run in {runs.root}", "swarmctl chaos run makes one; --runs-dir is where"
            )
        named = found[-1:]
    # A path that the shell completed is as good as a name.
    return [runs.load(name.rstrip("/").rpartition("/")[2]) for name in dict.fromkeys(named)]


def _place(
    runs: Runs, journals: Sequence[Journal], format_: Format, output: Path | None
) -> Path | None:
    """The file to write; ``None`` for standard output."""
    if output is None:
        if format_ is not Format.HTML:
            return None
        return runs.report(journals[0].id) if len(journals) == 1 else runs.root / "report.html"
    if str(output) == "-":
        return None
    return output / _NAMES[format_] if output.is_dir() else output


def _draw(
    runs: Runs, journals: Sequence[Journal], place: Path | None, kind: Picture
) -> Path | None:
    from swarmctl.chaos.report import picture
    from swarmctl.chaos.report.html import put

    content = picture.file(journals, kind.value)
    if not content:
        console.note("no picture: the fault never came")
        return None
    if place is not None:
        path = place.with_suffix(f".{kind.value}")
    elif len(journals) == 1:
        path = runs.directory(journals[0].id) / f"picture.{kind.value}"
    else:
        path = runs.root / f"picture.{kind.value}"
    put(path, content)
    return path


def _reference(drawn: Path | None, place: Path | None) -> str:
    """Where the picture is, as the report's reader finds it."""
    if drawn is None:
        return ""
    return Path(os.path.relpath(drawn, place.parent)).as_posix() if place else drawn.as_posix()


def _text(journals: Sequence[Journal], format_: Format, picture: str) -> str:
    if format_ is Format.HTML:
        from swarmctl.chaos.report import html as pages

        return pages.page(journals)
    if format_ is Format.MARKDOWN:
        from swarmctl.chaos.report import markdown

        return markdown.render(journals, picture)
    if format_ is Format.JUNIT:
        from swarmctl.chaos.report import junit

        return junit.render(journals, _command(journals))
    import json

    return json.dumps({"runs": [_plain(j) for j in journals]}, indent=2, ensure_ascii=False) + "\n"


def _command(journals: Sequence[Journal]) -> str:
    names = dict.fromkeys(j.campaign or j.title or j.experiment for j in journals)
    return f"chaos {', '.join(names)}"


def _plain(journal: Journal) -> dict[str, Any]:
    """The facts, and what was predicted; every sample and probe is in the journal itself."""
    from dataclasses import asdict

    from swarmctl.chaos.report import facts, foreseen

    return {
        **facts.facts(journal).plain(),
        "cluster": journal.cluster,
        "sentence": facts.sentence(journal),
        "parameters": journal.parameters,
        "verdict": asdict(journal.verdict) if journal.verdict else None,
        "prediction": foreseen.headline(journal),
        "agreement": journal.agreement,
        "guards": [asdict(guard) for guard in journal.guards],
        "before": journal.before,
        "after": journal.after,
        "final": journal.final,
        "probed": [asdict(probe) for probe in journal.probes],
        "undo": asdict(journal.undo),
    }


@app.command()
def history(
    last: Annotated[
        int | None, typer.Option("--last", min=1, metavar="N", help="Only the newest.")
    ] = None,
    fault: Annotated[str | None, typer.Option("--fault", help="Only runs of this fault.")] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", help="Only runs that ended so, e.g. refuted.")
    ] = None,
    format_: TableOrJson = Format.TABLE,
    runs_dir: RunsDirOption = Path("runs"),
) -> None:
    """List the runs, one a row, with medians and ranges for each fault that has several."""
    from swarmctl.chaos.faults import FAULTS
    from swarmctl.chaos.journal.runs import Runs
    from swarmctl.chaos.report import history as histories
    from swarmctl.chaos.report.facts import BADGES

    found = _all(Runs(runs_dir))
    faults = {*FAULTS, *(run.fault for run in found)}
    if fault is not None and fault not in faults:
        raise unknown("fault", fault, faults)
    if outcome is not None and outcome not in BADGES:
        raise unknown("outcome", outcome, BADGES)
    chosen = histories.choose(found, last, fault, outcome)
    if format_ is Format.JSON:
        from dataclasses import asdict

        console.emit_json(
            {
                "runs": [run.plain() for run in chosen],
                "faults": [asdict(summary) for summary in histories.summaries(chosen)],
            }
        )
        return
    if not chosen:
        console.emit(f"no run in {runs_dir}" if not found else "no run of that kind")
        return
    from swarmctl.cli.show.experiment import past

    past(chosen)


def _all(runs: Runs) -> list[Facts]:
    """Every run that can be read, the oldest first; the others are said."""
    from swarmctl.chaos.report.facts import facts

    found = []
    for name in runs.ids():
        try:
            found.append(facts(runs.load(name)))
        except SwarmctlError as error:
            console.note(f"left out: {error.message}")
    return found


@contextmanager
def recorded(path: Path | None, name: str) -> Iterator[list[Journal]]:
    """Write a JUnit file about the runs of one command, however it ends.

    Args:
        path: where to; ``None`` for nowhere.
        name: of the test suite.

    Yields:
        Where the runs' journals are to be put.

    Raises:
        SwarmctlError: it can't be written; said before anything is done.
    """
    from swarmctl.chaos.report import junit
    from swarmctl.chaos.report.html import put

    seen: list[Journal] = []
    if path is None:
        yield seen
        return
    # Tried before the fault; and it stays like this if the command is killed.
    put(path, junit.render([], name, "the command did not end"))
    failure = ""
    try:
        yield seen
    except BaseException as error:
        told = bool(seen) and seen[-1].outcome not in ("", "held", "refuted")
        failure = "" if told else str(error) or type(error).__name__
        raise
    finally:
        try:
            put(path, junit.render(seen, name, failure))
        except SwarmctlError as error:  # how the run ended matters more
            console.note(error.message)
