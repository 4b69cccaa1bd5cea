"""The HTML page of one run, or of several side by side. It needs nothing but itself.

Made from journals alone, so it can be made again at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jinja2
from markupsafe import Markup

from swarmctl.chaos.journal import phases
from swarmctl.chaos.journal.journal import GuardRecord, Journal
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.report import foreseen, history, picture, timeline
from swarmctl.chaos.report.facts import (
    PlacementRow,
    badge,
    facts,
    node_names,
    overridden,
    placement_rows,
    twice,
    words,
)
from swarmctl.errors import SwarmctlError


@dataclass(frozen=True)
class Moment:
    """One of the moments all runs have in common.

    Args:
        name: for people.
        at: when it came, in seconds since the fault, for people; ``""`` when it did not.
    """

    name: str
    at: str


@dataclass(frozen=True)
class View:
    """A run as the page shows it."""

    run: Journal
    picture: Markup

    @property
    def badge(self) -> str:
        """How it ended, in capitals."""
        return badge(self.run)

    @property
    def words(self) -> str:
        """The verdict and the probes, or why there is no verdict."""
        return words(self.run)

    @property
    def name(self) -> str:
        """What was done to what."""
        targets = ", ".join(target.what for target in self.run.targets)
        return f"{self.run.experiment} of {targets}" if targets else self.run.experiment

    @property
    def started(self) -> datetime:
        """When it began, UTC."""
        return datetime.fromisoformat(self.run.started_at)

    @property
    def figures(self) -> list[tuple[str, str]]:
        """The numbers people look for first."""
        return figures(self.run)

    @property
    def moments(self) -> tuple[Moment, ...]:
        """The phases, one after the other; none when the fault never came."""
        return moments(self.run)

    @property
    def overridden(self) -> tuple[GuardRecord, ...]:
        """The guards that refused and were told not to matter."""
        names = overridden(self.run)
        return tuple(guard for guard in self.run.guards if guard.name in names and not guard.ok)

    @property
    def twice(self) -> str:
        """Which replicas ran twice."""
        return twice(self.run)

    @property
    def prediction(self) -> str:
        """Whether what was seen is what was predicted."""
        return foreseen.headline(self.run)

    @property
    def agrees(self) -> bool:
        """Whether it is."""
        return bool(self.run.agreement and self.run.agreement["agrees"])

    @property
    def foreseen(self) -> tuple[foreseen.Row, ...]:
        """The predicted ranges, and what was seen."""
        return foreseen.rows(self.run)

    @property
    def foreseen_nodes(self) -> tuple[str, ...]:
        """The columns of :attr:`foreseen`."""
        return foreseen.nodes(self.run)

    @property
    def nodes(self) -> tuple[str, ...]:
        """All nodes' names."""
        return node_names(self.run)

    @property
    def targets(self) -> set[str]:
        """The names of the nodes that are meant, or hold what is meant."""
        return {target.node for target in self.run.targets}

    @property
    def placement(self) -> tuple[PlacementRow, ...]:
        """Where each service ran."""
        return placement_rows(self.run)

    @property
    def timeline(self) -> tuple[timeline.Row, ...]:
        """What happened when."""
        return timeline.rows(self.run)

    @property
    def blind(self) -> list[tuple[float, float, str]]:
        """When no manager answered, in seconds since the fault."""
        fault = self.run.moment("fault") or 0.0
        return [(since - fault, until - fault, why) for since, until, why in self.run.blind]


def write(runs: Runs, journal: Journal) -> Path:
    """Render a run's report beside its journal.

    Raises:
        SwarmctlError: it can't be written.
    """
    path = runs.report(journal.id)
    put(path, render(journal))
    return path


def put(path: Path, content: str | bytes) -> None:
    """Write a file, and the directories it needs.

    Raises:
        SwarmctlError: it can't be written.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise SwarmctlError(
            f"cannot write {path}: {error.strerror}", "choose another place"
        ) from error


def render(journal: Journal) -> str:
    """The page of one run."""
    return page([journal])


def page(journals: Sequence[Journal]) -> str:
    """The page of one run, or of several side by side on one time axis.

    Args:
        journals: the runs, in the order in which they are shown.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("swarmctl.chaos.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    several = len(journals) > 1
    shared = picture.frame(journals)
    views = [
        # Our own drawing; every text in it went through Matplotlib's XML escaping.
        View(run, Markup(picture.draw(run, shared, narrow=several)))  # noqa: S704
        for run in journals
    ]
    return environment.get_template("report.html.j2").render(
        views=views,
        columns=history.COLUMNS,
        rows=[history.cells(facts(run)) for run in journals],
    )


def moments(journal: Journal) -> tuple[Moment, ...]:
    """The moments of a run, also those that never came; none when the fault never did."""
    at = phases.phases(journal)
    if at["t_fault"] is None:
        return ()
    found = []
    for key, name in phases.NAMES.items():
        moment = at[key]
        found.append(Moment(name, "" if moment is None else f"{moment:+.1f} s"))
    return tuple(found)


def figures(journal: Journal) -> list[tuple[str, str]]:
    """The numbers people look for first, each with what it is."""
    at = phases.phases(journal)
    if at["t_fault"] is None:
        return []
    found = []
    if at["t_down"] is not None:
        found.append((f"{at['t_down']:.1f} s", "until the managers called it Down"))
    if at["t_healthy"] is not None:
        found.append((f"{at['t_healthy']:.1f} s", "until every replica served again"))
    if journal.probes:
        lost, sent = sum(p.lost for p in journal.probes), sum(p.sent for p in journal.probes)
        found.append((f"{lost} / {sent}", "probes lost"))
        outage = max(p.longest_outage_s for p in journal.probes)
        found.append((f"{outage:.1f} s", "longest outage"))
    begin, ready = journal.moment("revert"), journal.moment("nodes-ready")
    if begin is not None and ready is not None:
        found.append((f"{ready - begin:.1f} s", "from revert to node Ready"))
    return found
