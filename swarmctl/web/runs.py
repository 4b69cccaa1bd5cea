"""The runs of ``swarmctl chaos`` for the page."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from swarmctl import colours
from swarmctl.chaos.journal.journal import Journal, shown_undo
from swarmctl.chaos.journal.phases import phases
from swarmctl.chaos.journal.runs import JOURNAL_NAME, Runs
from swarmctl.chaos.report.run_summary import RunSummary, summarize
from swarmctl.errors import SwarmctlError
from swarmctl.reading.names import unknown

# So many of the newest runs are listed.
LISTED = 200


def run_list(folder: Path) -> dict[str, Any]:
    """The newest runs, newest first, and what could not be read."""
    runs, found, left_out = Runs(folder), list[dict[str, Any]](), list[str]()
    for name in reversed(runs.ids()[-LISTED:]):
        try:
            at = (runs.directory(name) / JOURNAL_NAME).stat()
            found.append(asdict(_summary(runs, name, (at.st_mtime_ns, at.st_size))))
        except (SwarmctlError, OSError) as fault:
            left_out.append(f"left out: {fault}")
    return {"directory": str(folder.resolve()), "runs": found, "left_out": left_out}


# Viewers ask every second; a journal may have a megabyte, and is seldom another.
@lru_cache(2 * LISTED)
def _summary(runs: Runs, name: str, _version: tuple[int, int]) -> RunSummary:
    return summarize(runs.load(name))


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
        "undo": asdict(shown_undo(journal)),
        "blind": [list(stretch) for stretch in journal.blind],
        "verdict": asdict(journal.verdict) if journal.verdict else None,
    }
