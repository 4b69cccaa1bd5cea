"""The runs of ``swarmctl chaos`` for the page."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from swarmctl import colours
from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.journal.phases import phases
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.report.history import summaries
from swarmctl.chaos.report.run_summary import summarize
from swarmctl.reading.names import unknown

# So many of the newest runs are listed.
LISTED = 200


def run_list(folder: Path) -> dict[str, Any]:
    """The newest runs, newest first, and what could not be read."""
    left_out: list[str] = []
    found = summaries(Runs(folder), left_out.append)
    newest = [asdict(run) for run in reversed(found)][:LISTED]
    return {"directory": str(folder.resolve()), "runs": newest, "left_out": left_out}


def one_run(folder: Path, run_id: str) -> dict[str, Any]:
    """One run: its figures, and what is drawn of it.

    Raises:
        SwarmctlError: there is no such run, or it cannot be read.
    """
    runs = Runs(folder)
    if run_id not in (known := runs.ids()):  # nor any other path
        raise unknown("run", run_id, known)
    journal = runs.load(run_id)
    return {"summary": asdict(summarize(journal)), **_drawn(journal)}


def _drawn(journal: Journal) -> dict[str, Any]:
    return {
        "targets": [asdict(target) for target in journal.targets],
        "hypothesis": journal.hypothesis,
        "phases": phases(journal),
        "fault_s": journal.moment("fault"),
        "marks": [asdict(mark) for mark in journal.marks],
        "samples": [asdict(sample) for sample in journal.samples],
        "colours": colours.places({name for one in journal.samples for name in one.services}),
        "probes": [asdict(probe) for probe in journal.probes],
        "undo": asdict(journal.undo),
        "blind": [list(stretch) for stretch in journal.blind],
        "verdict": asdict(journal.verdict) if journal.verdict else None,
    }
