"""What all parts of a picture share: the run, the limits of the axes, colours and legends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from swarmctl import colours
from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.journal.phases import phases

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Everything that is not data has this colour; in an SVG it is replaced by ``currentColor``.
INK = "#010203"
TWICE = "#8c6bb1"  # replicas that run twice
# Nodes are shades of slate, so that no colour means both a node and a service.
NODE_COLOURS = ("#5c7a99", "#94abc2", "#3d5a78", "#b9c8d8", "#7690ab", "#2c4560")
LOST, GOOD, DOUBT, OTHERS = "#e5484d", "#009e73", "#8a929b", "#9aa1a9"
# Answers and losses of users in front of the load balancer.
USERS, USERS_LOST = "#0072b2", "#b5179e"
# At most this many nodes or services are shown; the rest are summed up or left out.
MAX_SHOWN = 10
# Lines through all panels are drawn at these moments.
_LINES = ("t_fault", "t_down", "t_healthy", "revert", "t_reverted")
# Widths in inches: of a whole page, of half of one, of a phone. From HALF down legends stand below.
WIDE, HALF, PHONE = 11.0, 6.4, 4.3
# Width of a small letter, as a share of the time axis, in a picture of one inch.
_LETTER, _LETTER_NARROW = 0.0902, 0.084
# Names in a legend below a panel stand in one more column if none is longer than this.
_SHORT_NAME = 27
_LEGEND: dict[str, Any] = {"frameon": False, "fontsize": 8.5, "markerscale": 3}


@dataclass(frozen=True, slots=True)
class Frame:
    """The limits and the names that pictures share, so that they can be compared.

    Args:
        left_s: where the time axis begins, in seconds since the fault.
        right_s: where it ends.
        replicas: the most replicas in all.
        of_service: the most replicas of one service.
        slowest_ms: the slowest answer.
        nodes: every node of the runs: the place of a name decides its shade.
        services: every service; see :mod:`swarmctl.colours`.
        load_balancer: whether any run was probed through one.
    """

    left_s: float = 0.0
    right_s: float = 1.0
    replicas: int = 1
    of_service: int = 1
    slowest_ms: float = 100.0
    nodes: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    load_balancer: bool = False

    def colour(self, name: str) -> str:
        """The same colour for a node or service in all pictures that share this frame."""
        if name in self.nodes:
            return NODE_COLOURS[self.nodes.index(name) % len(NODE_COLOURS)]
        if name in self.services:
            return colours.SERVICES[colours.places(self.services)[name]]
        return OTHERS


@dataclass(frozen=True, slots=True)
class View:
    """A run that reached its fault and has samples, and how it is drawn.

    Args:
        journal: the run.
        limits: of the axes.
        inches: how wide: WIDE, HALF or PHONE.
    """

    journal: Journal
    limits: Frame
    inches: float = WIDE

    @property
    def narrow(self) -> bool:
        """Whether legends stand below the panels."""
        return self.inches < WIDE

    @property
    def fault(self) -> float:
        """When the fault came, in run time."""
        return self.journal.moment("fault") or 0.0

    @property
    def end(self) -> float:
        """When the run was over, in seconds since the fault."""
        return end(self.journal) - self.fault

    @property
    def times(self) -> list[float]:
        """When each sample was taken, in seconds since the fault."""
        return [sample.at_s - self.fault for sample in self.journal.samples]

    @property
    def targets(self) -> set[str]:
        """The target nodes; none when the targets are single tasks."""
        return {target.node for target in self.journal.targets if not target.task}

    @property
    def step_times(self) -> list[float]:
        """The times that belong to :func:`steps` of one value a sample."""
        return step_times([*self.times, self.end])

    def moments(self) -> dict[str, float]:
        """The moments that came, and when the revert began, in seconds since the fault."""
        found = {k: at for k, at in phases(self.journal).items() if at is not None}
        revert = self.journal.moment("revert")
        return found if revert is None else {**found, "revert": revert - self.fault}

    def sample_at(self, moment: float) -> int:
        """The index of the newest sample at a moment."""
        return max((i for i, time in enumerate(self.times) if time <= moment), default=0)

    def is_in_doubt(self, moment: float) -> bool:
        """Whether a new leader had not heard of every node yet: replicas are then not known."""
        return "unknown" in self.journal.samples[self.sample_at(moment)].states.values()


def is_drawable(journal: Journal) -> bool:
    """Whether the run reached its fault and has samples."""
    return journal.moment("fault") is not None and bool(journal.samples)


def end(journal: Journal) -> float:
    """When the last thing happened, in run time."""
    marks = [mark.at_s for mark in journal.marks]
    return max([*marks, journal.ended_s or 0.0, journal.samples[-1].at_s])


def frame(journals: Sequence[Journal]) -> Frame:
    """The limits that all of these runs fit into."""
    drawn = [journal for journal in journals if is_drawable(journal)]
    if not drawn:
        return Frame()
    faults = [journal.moment("fault") or 0.0 for journal in drawn]
    samples = [sample for journal in drawn for sample in journal.samples]
    counts = [n for sample in samples for n in sample.services.values()]
    return Frame(
        left_s=min(j.samples[0].at_s - at for j, at in zip(drawn, faults, strict=True)),
        right_s=max(end(j) - at for j, at in zip(drawn, faults, strict=True)),
        replicas=max(
            *(sum(j.wanted.values()) + sum(j.duplicates.values()) for j in drawn),
            *(sum(sample.services.values()) for sample in samples),
        ),
        of_service=max([*(n for j in drawn for n in j.wanted.values()), *counts, 1]),
        slowest_ms=max(
            [p.latency_ms for j in drawn for p in (*j.probe_log, *j.load_balancer_log) if p.ok]
            + [100.0]
        ),
        nodes=tuple(sorted({name for sample in samples for name in sample.nodes})),
        services=tuple(sorted({name for sample in samples for name in sample.services})),
        load_balancer=any(j.load_balancer_log for j in drawn),
    )


def steps(values: Sequence[float]) -> list[float]:
    """The corners of a step function: each value lasts until the next one."""
    return [value for value in values for _ in (0, 1)]


def step_times(edges: Sequence[float]) -> list[float]:
    """The times of these corners: each edge ends one step and begins the next."""
    return [edges[i + j] for i in range(len(edges) - 1) for j in (0, 1)]


def most_changed(series: Mapping[str, Sequence[int]], always: set[str]) -> list[str]:
    """The names to show: ``always``, then what changed most, then the largest; sorted by name."""
    order = sorted(
        series,
        key=lambda name: (
            name not in always,
            min(series[name]) - max(series[name]),
            -max(series[name]),
            name,
        ),
    )
    return sorted(order[:MAX_SHOWN])


def mark_moments(axes: Axes, view: View) -> None:
    """Draw lines at the moments that matter most, and grey where no manager answered."""
    for since, until, _ in view.journal.blind:
        since, until = since - view.fault, until - view.fault
        axes.axvspan(since, until, facecolor=INK, edgecolor=INK, alpha=0.2, lw=0, hatch="..")
    for key, at in view.moments().items():
        if key in _LINES:
            colour = LOST if key == "t_fault" else INK
            axes.axvline(at, color=colour, lw=1.0, ls="--", alpha=0.6)


def count_axis(axes: Axes, view: View, text: str) -> None:
    """Label an axis that counts replicas."""
    from matplotlib.ticker import MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.grid(axis="y", color=INK, alpha=0.08)
    axes.set_ylabel("replicas")
    title(axes, view, text)


def letter(view: View) -> float:
    """The width of a small letter, in seconds of the time axis."""
    share = (_LETTER_NARROW if view.narrow else _LETTER) / view.inches
    return share * (view.limits.right_s - view.limits.left_s)


def legend_columns(names: Sequence[str], inches: float) -> int:
    """How many names of a legend stand beside each other below a panel."""
    short = max(map(len, names), default=0) <= _SHORT_NAME
    return 1 + short + (inches >= HALF)


def title(axes: Axes, view: View, text: str) -> None:
    """The title of a panel, in lines that fit."""
    longest = 48 if view.inches < HALF else 200
    axes.set_title("\n".join(wrap(text, longest)), loc="left", fontsize=10.5)


def legend(
    axes: Axes,
    view: View,
    names: Sequence[str],
    *,
    top_down: bool = False,
    below: float = -0.05,
) -> None:
    """Explain the colours: beside the panel, or below it in a narrow picture.

    Args:
        axes: the panel.
        view: how it is drawn.
        names: all names of the frame, for the number of columns.
        top_down: in the order in which layers lie upon each other.
        below: where it begins in a narrow picture, in heights of the panel.
    """
    handles, labels = axes.get_legend_handles_labels()
    first = dict(zip(labels, handles, strict=True))  # several targets share one label
    words = list(reversed(first)) if top_down else list(first)
    keys = [first[word] for word in words]
    if view.narrow:
        columns, place = legend_columns([*names, *words], view.inches), (-0.01, below)
        axes.legend(keys, words, loc="upper left", bbox_to_anchor=place, ncols=columns, **_LEGEND)
    else:
        axes.legend(keys, words, loc="center left", bbox_to_anchor=(1.0, 0.5), **_LEGEND)
