"""Where journals are kept: a directory of runs, and in part a lock in the Swarm.

A journal is written whole, flushed and put in place by a rename at every phase, so whoever finds it
after a crash finds the last complete state.
"""

from __future__ import annotations

import json
import re
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from swarmctl.chaos.journal.journal import Journal, shown_undo
from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.reading.files import PRIVATE, locked, write_whole
from swarmctl.reading.names import unknown
from swarmctl.reading.texts import clean

JOURNAL_NAME = "journal.json"
REPORT_NAME = "report.html"
# What new_id makes. One from elsewhere becomes the name of a directory here.
_ID = re.compile(r"\d{8}-\d{6}-[a-z][a-z-]*(-\d+)?")
# It names a directory here and, when a run is undone, one on its nodes.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")

# What is enough to undo a run, and to know what it was.
_BRIEF = (
    "id",
    "experiment",
    "cluster",
    "region",
    "started_at",
    "parameters",
    "hypothesis",
    "schema",
    "targets",
    "undo",
)


def brief(journal: Journal) -> dict[str, Any]:
    """The part of a journal that is kept in the Swarm: enough to carry out its undo plan."""
    found = {name: value for name, value in asdict(journal).items() if name in _BRIEF}
    # A command may hold a password, and it is never taken from the Swarm.
    options = {k: v for k, v in journal.parameters.items() if k != "replace_with"}
    return {**found, "parameters": options, "undo": asdict(shown_undo(journal))}


def from_brief(raw: Any) -> Journal:
    """The journal made from a :func:`brief`: it knows the undo plan and nothing later.

    Raises:
        SwarmctlError: a part is missing or has the wrong type; the message names it.
    """
    if isinstance(raw, dict) and (others := sorted(map(str, set(raw) - set(_BRIEF)))):
        raise SwarmctlError(f"the undo plan in the Swarm's lock has unknown parts: {others}")
    try:
        journal = msgspec.convert(raw, Journal)
    except msgspec.ValidationError as error:
        raise SwarmctlError(f"cannot read the undo plan in the Swarm's lock: {error}") from error
    if not _ID.fullmatch(journal.id):
        raise SwarmctlError(
            f"the undo plan in the Swarm's lock has no valid run id: {journal.id!r}"
        )
    return journal


def _clean(value: Any) -> Any:
    """The same value with every text fit to be shown: a journal may come from somewhere else."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): _clean(item) for key, item in value.items()}
    return value


@dataclass(frozen=True)
class Runs:
    """The directory all runs live in."""

    root: Path

    def directory(self, run_id: str) -> Path:
        """Where one run's files are."""
        return self.root / run_id

    def report(self, run_id: str) -> Path:
        """Where one run's report is."""
        return self.directory(run_id) / REPORT_NAME

    def new_id(self, experiment: str, at: datetime) -> str:
        """A name for a run that no other run has: its time and its experiment."""
        base = f"{at:%Y%m%d-%H%M%S}-{experiment}"
        taken = set(self.ids())
        names = (base if n == 1 else f"{base}-{n}" for n in range(1, len(taken) + 2))
        return next(name for name in names if name not in taken)

    def ids(self) -> list[str]:
        """All runs, the oldest first; a link such as ``latest`` is not a second one."""
        found = (path.parent for path in self.root.glob(f"*/{JOURNAL_NAME}"))
        return sorted(run.name for run in found if not run.is_symlink())

    def save(self, journal: Journal) -> None:
        """Put the journal on disk, whole; when this returns it would survive a power cut.

        Raises:
            SwarmctlError: the directory can't be written.
        """
        path = self.directory(journal.id) / JOURNAL_NAME
        # Samples and probes one a line, the rest indented: readable, and small in diffs.
        text = _dump(journal)
        try:
            write_whole(path, text, PRIVATE)
        except OSError as error:
            raise SwarmctlError(
                f"cannot write the journal {path}: {error.strerror}",
                "choose another directory with --runs-dir",
            ) from error

    def load(self, run_id: str) -> Journal:
        """Read a run's journal.

        Raises:
            UsageError: there is no such run.
            SwarmctlError: the journal can't be understood.
        """
        path = self.directory(run_id) / JOURNAL_NAME
        if not path.is_file():
            fault = unknown("run", run_id, self.ids())
            raise UsageError(f"{fault.message} in {self.root}", fault.hint)
        try:
            journal = msgspec.convert(_clean(msgspec.json.decode(path.read_bytes())), Journal)
            if not _PLAIN_NAME.fullmatch(journal.id):
                raise msgspec.ValidationError(f"{journal.id!r} is no run id - at `$.id`")
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SwarmctlError(
                f"cannot read the journal {path}: {error}",
                "undo what its part `undo` lists by hand, then move the directory away",
            ) from error
        if journal.undo.pending and path.resolve().parent.name != journal.id:
            # What is undone is recorded under the run's id: this one would stay pending for ever.
            raise SwarmctlError(
                f"{path} is the journal of the run {journal.id}, which is not undone",
                "give its directory that name; or remove it, if it is a copy",
            )
        return journal

    def pending(self) -> tuple[Journal, ...]:
        """The runs whose fault has not been undone, the oldest first."""
        return tuple(run for run in map(self.load, self.ids()) if run.undo.pending)

    def lock(self) -> AbstractContextManager[None]:
        """Keep other experiments of this directory out; released by the kernel if we are killed.

        Raises:
            RefusedError: another process holds it.
        """
        return locked(
            self.root / ".lock",
            "another experiment is under way",
            "wait for it to end; Ctrl-C in its terminal ends and reverts it",
        )


_LINE_PER_ITEM = (
    "samples",
    "probe_log",
    "every_node_log",
    "load_balancer_log",
    "tasks",
    "marks",
    "blind",
)


def _dump(journal: Journal) -> str:
    raw = asdict(journal)
    parts = []
    for key, value in raw.items():
        if key in _LINE_PER_ITEM and value:
            items = ",\n".join(f"    {json.dumps(item, ensure_ascii=False)}" for item in value)
            text = f"[\n{items}\n  ]"
        else:
            text = json.dumps(value, indent=2, ensure_ascii=False).replace("\n", "\n  ")
        parts.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
