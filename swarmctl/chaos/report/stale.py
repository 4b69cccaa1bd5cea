"""Who still named endpoints that did not serve, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.journal.listeners import ListenerRecord, StaleEndpoint

TITLE = "Stale endpoints"
# The first two columns are words, the others numbers.
COLUMNS = ("listener", "endpoint", "from", "to", "seconds", "its own", "requests lost")


def rows(journal: Journal) -> list[tuple[str, ...]]:
    """A row for each stale endpoint, then its listener's total; times since the fault."""
    fault = journal.moment("fault") or 0.0
    return [row for one in journal.listeners if one.answered for row in _of_listener(one, fault)]


SUMMARY_COLUMNS = ("listener", "endpoints", "longest", "its own", "total", "requests lost")


def summary(journal: Journal) -> list[tuple[str, ...]]:
    """A row for each listener: how many endpoints, the longest times, the sum, what was lost."""
    return [
        (
            one.name,
            str(len(one.stale)),
            f"{max((each.seconds for each in one.stale), default=0.0):.1f} s",
            f"{max((_own_s(each) for each in one.stale), default=0.0):.1f} s",
            f"{one.stale_s:.1f} s",
            _lost(one.lost, one.sent),
        )
        for one in journal.listeners
        if one.answered
    ]


def notes(journal: Journal) -> list[str]:
    """Which listeners could not be asked, and when."""
    fault = journal.moment("fault") or 0.0
    return [note for one in journal.listeners for note in _silent(one, fault)]


def _of_listener(one: ListenerRecord, fault: float) -> Iterator[tuple[str, ...]]:
    for stale in one.stale:
        yield (
            one.name,
            f"{stale.name} {stale.place}",
            f"{stale.since_s - fault:+.1f} s",
            f"{stale.until_s - fault:+.1f} s",
            f"{stale.seconds:.1f}",
            f"{_own_s(stale):.1f}",
            _lost(stale.lost, stale.sent),
        )
    count = len(one.stale)
    what = "no stale endpoint" if not count else f"total of {count}"
    yield (
        one.name,
        what,
        "",
        "",
        f"{one.stale_s:.1f}",
        "",
        _lost(one.lost, one.sent) if count else "",
    )


def _own_s(stale: StaleEndpoint) -> float:
    """How many of the seconds are the listener's own: from the managers' knowledge on."""
    return 0.0 if stale.noticed_s is None else stale.until_s - stale.noticed_s


def _lost(lost: int, sent: int) -> str:
    return f"{lost} of {sent}" if sent else "-"


def _silent(one: ListenerRecord, fault: float) -> Iterator[str]:
    if not one.answered:
        why = one.silent[-1][2] if one.silent else "no answer"
        yield f"{one.name} could not be asked: {why}"
        return
    for since, until, why in one.silent:
        times = f"from {since - fault:+.1f} to {until - fault:+.1f} s"
        yield f"{one.name} could not be asked {times}: {why}"
