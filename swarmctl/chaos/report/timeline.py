"""The events of a run, in seconds since the fault, made from the journal alone."""

from __future__ import annotations

from dataclasses import dataclass

from swarmctl.chaos.journal.journal import Journal, Mark, TaskRecord


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One event.

    Args:
        at_s: seconds since the fault.
        what: what happened.
        source: who reported it: ``swarmctl``, ``EC2`` or ``Swarm``.
        kind: the mark's kind, or ``tasks``.
    """

    at_s: float
    what: str
    source: str
    kind: str


def rows(journal: Journal) -> tuple[TimelineRow, ...]:
    """The marks of a run, and when each service's replacements were assigned and ran."""
    fault = journal.moment("fault")
    if fault is None:
        return ()
    marks = [
        TimelineRow(
            round(mark.at_s - fault, 3), _text(mark, journal), _source(mark.kind), mark.kind
        )
        for mark in journal.marks
    ]
    return tuple(sorted(marks + _task_rows(journal, fault), key=lambda row: row.at_s))


def _text(mark: Mark, journal: Journal) -> str:
    replicas = sum(counts.get(mark.silenced, 0) for counts in journal.before.values())
    if not replicas:
        return mark.text
    return f"{mark.text}: {replicas} replica{'s' if replicas > 1 else ''} there stop serving"


def _source(kind: str) -> str:
    if kind in ("stop-accepted", "start-accepted", "instance-stopped", "instance-running"):
        return "EC2"
    return "Swarm" if kind.startswith("node") else "swarmctl"


def _task_rows(journal: Journal, fault: float) -> list[TimelineRow]:
    rows = []
    replacements = [task for task in journal.tasks if task.replacement]
    for service in dict.fromkeys(task.service for task in replacements):
        tasks = [task for task in replacements if task.service == service]
        for verb, moments in (
            ("assigned", [t.assigned_s for t in tasks if t.assigned_s is not None]),
            ("running", [t.running_s for t in tasks if t.running_s is not None]),
        ):
            if moments:
                first, last = min(moments) - fault, max(moments) - fault
                text = f"{service}: {_replacements(len(moments))} {verb}{_nodes(tasks)}"
                # The row's time is the last replacement's; its text gives the first one's.
                since = f" (first +{first:.1f} s)" if last - first >= 0.05 else ""
                rows.append(TimelineRow(round(last, 3), text + since, "Swarm", "tasks"))
    return rows


def _replacements(count: int) -> str:
    return "1 replacement" if count == 1 else f"{count} replacements"


def _nodes(tasks: list[TaskRecord]) -> str:
    nodes = sorted({task.node for task in tasks if task.node})
    return f" on {', '.join(nodes)}" if nodes else ""
