"""The lines of the output. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from swarmctl.playbook_output.outcome import FATAL, End, HostTotals, Kind, Outcome, Task

# More hosts than this: those on which nothing happened share one line.
MAX_CALM = 12
_MAX_ITEMS = 4
_LABELS: dict[Kind, str] = {
    "changed": "changed",
    "failed": "failed",
    "unreachable": "unreachable",
    "ignored": "failed, which is ignored",
    "rescued": "failed, which the playbook handles",
}


def duration(seconds: float) -> str:
    """``3.2 s`` or ``2 min 5 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def named(hosts: Sequence[str], of: int) -> str:
    """``all 4 hosts``, or their names."""
    if len(hosts) == of > 1:
        return f"all {of} hosts"
    return ", ".join(sorted(hosts))


def task_lines(
    task: Task, outcomes: Sequence[Outcome], *, check: bool
) -> Iterator[tuple[str, Kind]]:
    """What is shown of a task beside its step: changes and failures, equal ones together."""
    groups: dict[tuple[Kind, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for found in outcomes:
        if found.kind in _LABELS:
            groups.setdefault((found.kind, found.text, found.items), []).append(found.host)
    for (kind, text, items), hosts in groups.items():
        label = "would change" if check and kind == "changed" else _LABELS[kind]
        line = f"{label}: {task.name}: {named(hosts, len(outcomes))}"
        yield line + (f" ({_listed(items)})" if items else ""), kind
        for detail in (*text, *([f"see {task.where}"] if kind in FATAL and task.where else [])):
            yield f"  {detail}", kind


def _listed(items: Sequence[str]) -> str:
    more = len(items) - _MAX_ITEMS
    return ", ".join(items[:_MAX_ITEMS]) + (f" and {more} more" if more > 0 else "")


def step_line(mark: str, text: str, seconds: float, width: int) -> str:
    """``✓ Docker Engine          3.2 s``: the time at the right margin."""
    time = duration(seconds)
    line = f"{mark} {text}"
    return f"{line}{' ' * max(2, width - len(line) - len(time))}{time}"


def recap_lines(totals: Sequence[HostTotals]) -> Iterator[str]:
    """``wkr1 : ok=9 changed=0``, a line a host; counts other than these two if they are not 0."""
    calm = [total for total in totals if total.calm]
    shared = len(totals) > MAX_CALM and len(calm) > 1
    width = max((len(total.host) for total in totals), default=0)
    for total in totals:
        if not (shared and total.calm):
            yield f"{total.host:{width}} : {_counts(total)}"
    if shared:
        yield f"{len(calm)} more hosts : changed=0"


def _counts(total: HostTotals) -> str:
    counts = {
        "unreachable": total.unreachable,
        "failed": total.failures,
        "rescued": total.rescued,
        "ignored": total.ignored,
    }
    more = "".join(f" {name}={count}" for name, count in counts.items() if count)
    return f"ok={total.ok} changed={total.changed}{more}"


def last_line(end: End, changed: Sequence[str], failed: Sequence[str], *, check: bool) -> str:
    """How it ended, in a sentence.

    Args:
        end: the totals.
        changed: titles of the steps that changed something.
        failed: titles of those that failed.
        check: whether nothing was really changed.
    """
    time = duration(end.seconds)
    if failed:
        return f"Failed after {time}: {'; '.join(failed)}"
    if not changed:
        return f"Nothing {'would change' if check else 'changed'}. {time}"
    return f"{'Would change' if check else 'Changed'}: {'; '.join(changed)}. {time}"
