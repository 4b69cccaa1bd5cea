"""The journal: one JSON document a run, always complete on disk.

It is written whole, flushed and put in place by a rename at every phase, so whoever finds it after
a crash finds the last complete state. The undo plan is in it before the fault is.

All times ending in ``_s`` are seconds since ``started_at``.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import types
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from swarmctl.errors import RefusedError, SwarmctlError, unknown

SCHEMA = 1
JOURNAL_NAME = "journal.json"
REPORT_NAME = "report.html"

# Service name → node hostname → replicas serving there.
Placement = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class TargetRecord:
    """A node the fault is aimed at, and the machine under it; or one task on that node."""

    node: str
    node_id: str
    role: str
    instance_id: str
    address: str = ""  # the node's private address
    task_id: str = ""  # of the one task that is meant, if it is not the whole node
    container_id: str = ""
    task: str = ""  # service.slot

    @property
    def what(self) -> str:
        """Its name for people."""
        return f"{self.task} on {self.node}" if self.task else self.node


@dataclass(frozen=True, slots=True)
class GuardRecord:
    """What one guard said."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    overridden: bool = False  # it refused, and the user knew better


@dataclass(frozen=True, slots=True)
class UndoStep:
    """One thing to put back."""

    action: str  # "start-instance", "replace-instance", "activate-node" or "heal-node"
    node: str
    node_id: str
    instance_id: str
    by_hand: str  # the command a person would type instead


@dataclass(frozen=True, slots=True)
class Undo:
    """The undo plan and how far it got."""

    state: str = "none"  # "none", "planned", "done" or "failed"
    steps: tuple[UndoStep, ...] = ()
    detail: str = ""

    @property
    def pending(self) -> bool:
        """Whether something may still have to be put back."""
        return self.state in ("planned", "failed")


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment of the time line."""

    at_s: float
    kind: str
    text: str
    service: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """How many replicas served, at one moment."""

    at_s: float
    services: dict[str, int]
    nodes: dict[str, int]
    states: dict[str, str]  # node hostname → state


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task that came up during the run, and when it got how far."""

    id: str
    service: str
    slot: int
    node: str
    state: str
    created_s: float
    assigned_s: float | None = None
    running_s: float | None = None
    error: str = ""
    replacement: bool = False  # it makes good a replica that was lost


@dataclass(frozen=True, slots=True)
class ServiceOutcome:
    """One service in the verdict."""

    service: str
    mode: str
    wanted: int
    lost: int  # replicas that ran on the targets when the fault came
    stayed: int  # replicas that ran on, untouched
    replaced: int  # replicas started after the fault, on live nodes
    reasons: tuple[str, ...] = ()  # why it is not at full strength; empty when it is

    @property
    def serving(self) -> int:
        """Replicas that count."""
        return self.stayed + self.replaced

    @property
    def held(self) -> bool:
        """Whether the service is at full strength."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the experiment found."""

    held: bool
    sentence: str
    services: tuple[ServiceOutcome, ...] = ()
    reasons: tuple[str, ...] = ()
    redistributed_s: float | None = None


@dataclass(frozen=True, slots=True)
class ProbeSummary:
    """The probes of one service, counted."""

    service: str
    sent: int
    lost: int
    longest_outage_s: float
    median_ms: float
    p99_ms: float
    endpoints: tuple[str, ...] = ()
    failures: dict[str, int] = field(default_factory=dict)  # error → how often


@dataclass(frozen=True, slots=True)
class ProbeRecord:
    """One probe."""

    at_s: float
    service: str
    node: str
    ok: bool
    latency_ms: float
    detail: str


@dataclass
class Journal:
    """Everything about one run. ``phase`` and ``outcome`` say how far it got and how it ended."""

    id: str
    experiment: str
    cluster: str
    region: str
    started_at: str
    parameters: dict[str, Any]
    hypothesis: str
    schema: int = SCHEMA
    title: str = ""  # of an experiment file
    campaign: str = ""  # the same for all runs of one command
    phase: str = "created"
    outcome: str = ""  # "held", "refuted", "refused", "interrupted", "error" or "revert-failed"
    ended_s: float | None = None
    engine_versions: dict[str, str] = field(default_factory=dict)
    targets: tuple[TargetRecord, ...] = ()
    guards: tuple[GuardRecord, ...] = ()
    undo: Undo = field(default_factory=Undo)
    prediction: dict[str, Any] | None = None  # what was expected before the fault
    agreement: dict[str, Any] | None = None  # how what was seen compares with it
    duplicates: dict[str, int] = field(default_factory=dict)  # service → replicas running twice
    verdict: Verdict | None = None
    phases: dict[str, float | None] = field(default_factory=dict)  # seconds since the fault
    marks: list[Mark] = field(default_factory=list)
    before: Placement = field(default_factory=dict)
    after: Placement = field(default_factory=dict)
    final: Placement = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)
    not_judged: dict[str, str] = field(default_factory=dict)  # service → why
    probes: tuple[ProbeSummary, ...] = ()
    tasks: tuple[TaskRecord, ...] = ()
    samples: list[Sample] = field(default_factory=list)
    blind: list[tuple[float, float, str]] = field(default_factory=list)  # from, to, why no snapshot
    probe_log: tuple[ProbeRecord, ...] = ()
    lag_s: list[float] = field(default_factory=list)  # our look after the managers' own record

    def moment(self, kind: str) -> float | None:
        """When the first mark of that kind was made."""
        return next((mark.at_s for mark in self.marks if mark.kind == kind), None)

    def moments(self, kind: str) -> tuple[float, ...]:
        """When each mark of that kind was made."""
        return tuple(mark.at_s for mark in self.marks if mark.kind == kind)


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
    return {name: value for name, value in asdict(journal).items() if name in _BRIEF}


def from_brief(raw: Any) -> Journal:
    """A journal again, of which only the undo plan is known.

    Raises:
        SwarmctlError: it is none.
    """
    try:
        return _load(Journal, raw)
    except (TypeError, KeyError, ValueError) as error:
        raise SwarmctlError(f"the undo plan in the Swarm can't be understood: {error}") from error


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
        """All runs, the oldest first."""
        return sorted(path.parent.name for path in self.root.glob(f"*/{JOURNAL_NAME}"))

    def save(self, journal: Journal) -> None:
        """Put the journal on disk, whole; when this returns it would survive a power cut.

        Raises:
            SwarmctlError: the directory can't be written.
        """
        path = self.directory(journal.id) / JOURNAL_NAME
        # Samples and probes one a line, the rest indented: readable, and small in diffs.
        text = _dump(journal)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, text)
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
            raise unknown("run", run_id, self.ids())
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            return _load(Journal, raw)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise SwarmctlError(
                f"cannot read the journal {path}: {error}",
                "look at its `undo` part by hand; move the directory away once nothing is left",
            ) from error

    def pending(self) -> tuple[Journal, ...]:
        """The runs whose fault has not been undone, the oldest first."""
        return tuple(run for run in map(self.load, self.ids()) if run.undo.pending)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other experiments of this directory out; released by the kernel if we are killed.

        Raises:
            RefusedError: another process holds it.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            handle = (self.root / ".lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise SwarmctlError(
                f"cannot write to {self.root}: {error.strerror}",
                "choose another directory with --runs-dir",
            ) from error
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle.seek(0)
                holder = handle.read().strip() or "unknown"
                raise RefusedError(
                    f"another experiment is under way in {self.root} (process {holder})",
                    "wait for it to end; Ctrl-C in its terminal ends and reverts it",
                ) from None
            handle.truncate(0)
            handle.write(f"{os.getpid()}\n")
            handle.flush()
            yield


def _replace(path: Path, text: str) -> None:
    fresh = path.with_suffix(".tmp")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    # The rename itself must survive too: flush the directory's entry, and its parent's.
    for directory in (path.parent, path.parent.parent):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


_LINE_PER_ITEM = ("samples", "probe_log", "tasks", "marks", "blind")


def _dump(journal: Journal) -> str:
    raw = dataclasses.asdict(journal)
    parts = []
    for key, value in raw.items():
        if key in _LINE_PER_ITEM and value:
            items = ",\n".join(f"    {json.dumps(item, ensure_ascii=False)}" for item in value)
            text = f"[\n{items}\n  ]"
        else:
            text = json.dumps(value, indent=2, ensure_ascii=False).replace("\n", "\n  ")
        parts.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


D = TypeVar("D")


def _load(kind: type[D], raw: Any) -> D:
    """Build a dataclass from its JSON; fields this version does not know are left out."""
    if not isinstance(raw, dict):
        raise TypeError(f"{kind.__name__}: expected an object")
    hints = typing.get_type_hints(kind)
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]  # every kind is a dataclass
    known = {f.name: _value(hints[f.name], raw[f.name]) for f in fields if f.name in raw}
    return kind(**known)


def _value(hint: Any, raw: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        inner = next(a for a in arguments if a is not types.NoneType)
        return None if raw is None else _value(inner, raw)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return tuple(_value(a, item) for a, item in zip(arguments, raw, strict=True))
    if origin in (tuple, list):
        return origin(_value(arguments[0], item) for item in raw)
    if origin is dict:
        return {key: _value(arguments[1], item) for key, item in raw.items()}
    if dataclasses.is_dataclass(hint):
        return _load(hint, raw)  # type: ignore[arg-type]  # is_dataclass: a class here
    return raw
