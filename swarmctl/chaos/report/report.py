"""A report of one run or several, in any format, and where it is written."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.report import html, junit, markdown, words
from swarmctl.chaos.report.picture import figure
from swarmctl.chaos.report.run_summary import summarize
from swarmctl.errors import UsageError

# The name of a report in a directory, by format.
_NAMES = {
    "html": "report.html",
    "markdown": "report.md",
    "junit": "report.xml",
    "json": "report.json",
}


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report."""

    text: str
    path: Path | None  # None: for standard output
    picture: Path | None  # the picture's file


def load(runs: Runs, names: Sequence[str]) -> list[Journal]:
    """The journals of these runs, or of the newest one if none is named.

    Args:
        runs: the directory of runs.
        names: run ids, or paths that end in one.

    Raises:
        UsageError: there is no run at all, or no run with one of these ids.
    """
    if not names:
        found = runs.ids()
        if not found:
            raise UsageError(
                f"no run in {runs.root}", "run `swarmctl chaos run`, or choose another --runs-dir"
            )
        names = found[-1:]
    return [runs.load(name.rstrip("/").rpartition("/")[2]) for name in dict.fromkeys(names)]


def make(
    runs: Runs,
    journals: Sequence[Journal],
    format_: str,
    output: Path | None = None,
    picture: str | None = None,
) -> Report:
    """Make a report, and write it unless it is for standard output.

    Args:
        runs: the directory of runs.
        journals: the runs.
        format_: ``html``, ``markdown``, ``junit`` or ``json``.
        output: a file, a directory, or ``-`` for standard output; by default an HTML page stands
            beside the journal, and the others go to standard output.
        picture: ``svg`` or ``png`` to write the picture too.

    Raises:
        SwarmctlError: something cannot be written.
    """
    path = _path(runs, journals, format_, output)
    drawn = _draw(runs, journals, path, picture) if picture else None
    text = _text(journals, format_, _link(drawn, path))
    if path is not None:
        html.write_file(path, text)
    return Report(text, path, drawn)


def _path(
    runs: Runs, journals: Sequence[Journal], format_: str, output: Path | None
) -> Path | None:
    if output is None:
        if format_ != "html":
            return None
        return runs.report(journals[0].id) if len(journals) == 1 else runs.root / "report.html"
    if str(output) == "-":
        return None
    return output / _NAMES[format_] if output.is_dir() else output


def _draw(runs: Runs, journals: Sequence[Journal], path: Path | None, kind: str) -> Path | None:
    content = figure.file(journals, kind)
    if not content:
        return None
    if path is not None:
        place = path.with_suffix(f".{kind}")
    elif len(journals) == 1:
        place = runs.directory(journals[0].id) / f"picture.{kind}"
    else:
        place = runs.root / f"picture.{kind}"
    html.write_file(place, content)
    return place


def _link(picture: Path | None, path: Path | None) -> str:
    """The picture's path as seen from the report."""
    if picture is None:
        return ""
    return Path(os.path.relpath(picture, path.parent)).as_posix() if path else picture.as_posix()


def _text(journals: Sequence[Journal], format_: str, picture: str) -> str:
    if format_ == "html":
        return html.page(journals)
    if format_ == "markdown":
        return markdown.render(journals, picture)
    if format_ == "junit":
        names = dict.fromkeys(j.campaign or j.title or j.experiment for j in journals)
        return junit.render(journals, f"chaos {', '.join(names)}")
    data = {"runs": [_plain(journal) for journal in journals]}
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _plain(journal: Journal) -> dict[str, Any]:
    """Summary and verdict; every sample and probe is in the journal itself."""
    return {
        **asdict(summarize(journal)),
        "cluster": journal.cluster,
        "sentence": words.result(journal),
        "parameters": journal.parameters,
        "verdict": asdict(journal.verdict) if journal.verdict else None,
        "prediction": words.agreement(journal),
        "agreement": asdict(journal.agreement) if journal.agreement else None,
        "guards": [asdict(guard) for guard in journal.guards],
        "before": journal.before,
        "after": journal.after,
        "final": journal.final,
        "probed": [asdict(probe) for probe in journal.probes],
        "load_balancer": [asdict(probe) for probe in journal.load_balancer],
        "every_node": [asdict(probe) for probe in journal.every_node],
        "listeners": [asdict(one) | {"stale_s": one.stale_s} for one in journal.listeners],
        "undo": asdict(journal.undo),
    }
