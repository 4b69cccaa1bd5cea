"""The panels of a run's picture, each drawn into axes it is given. See :mod:`picture`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from swarmctl.chaos.journal.journal import Journal, Sample
from swarmctl.chaos.journal.phases import phases, unnoticed, wanted
from swarmctl.chaos.report.picture import INK, Frame, end

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette, without its black, yellow and vermilion: told apart by colour-blind
# readers, readable on white and on near-black, and none of them is taken for the target's red.
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#8c6bb1", "#7f7f7f", "#b8a04a")
LOST, GOOD = "#e5484d", "#009e73"
_TARGETS = (LOST, "#b3303a", "#f29396")
_MOST = 10  # more nodes or services than these are not told apart
_PLAIN: dict[str, Any] = {"frameon": False, "fontsize": 8.5}
_MANY = 4000
_SHORT = 27  # so many letters a name in a legend may have for three to fit beside each other
# The moments that go through all panels as a line.
_LINES = ("t_fault", "t_down", "t_healthy", "revert", "t_reverted")


@dataclass(frozen=True)
class View:
    """A run, and how it is looked at.

    Args:
        journal: the run; it came to its fault and has samples.
        limits: of the axes.
        narrow: for half a page: legends go below.
    """

    journal: Journal
    limits: Frame
    narrow: bool

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
        """When each sample was taken."""
        return [sample.at_s - self.fault for sample in self.journal.samples]

    @property
    def targets(self) -> set[str]:
        """The nodes that are meant; none when single tasks are."""
        return {target.node for target in self.journal.targets if not target.task}

    def moments(self) -> dict[str, float]:
        """The moments that came, and the revert's beginning, in seconds since the fault."""
        found = {k: at for k, at in phases(self.journal).items() if at is not None}
        revert = self.journal.moment("revert")
        if revert is not None:
            found["revert"] = revert - self.fault
        return found

    @property
    def corners(self) -> list[float]:
        """The times that belong to the stairs of a value a sample."""
        times = [*self.times, self.end]
        return [times[i + j] for i in range(len(times) - 1) for j in (0, 1)]


# -- replicas per node -----------------------------------------------------------------------------


def nodes(axes: Axes, view: View) -> None:
    """Replicas by node, one upon the other: the target's part goes, the others' grow."""
    samples = view.journal.samples
    names = sorted({name for sample in samples for name in sample.nodes})
    counts = {name: [_on_live(sample, name) for sample in samples] for name in names}
    counts = {name: values for name, values in counts.items() if any(values)}
    shown = _most_telling(counts, view.targets)
    rest = [values for name, values in counts.items() if name not in shown]
    # The targets on top: when they go, nothing else moves.
    order = sorted(shown, key=lambda name: (name in view.targets, name))
    layers = [(name, counts[name]) for name in order]
    if rest:
        layers.insert(0, (f"{len(rest)} other nodes", [sum(at) for at in zip(*rest, strict=True)]))
    base = [0] * len(samples)
    reds = iter(_TARGETS * len(names))
    for name, values in layers:
        top = [low + count for low, count in zip(base, values, strict=True)]
        target = name in view.targets
        axes.fill_between(
            view.corners,
            _stairs(base),
            _stairs(top),
            lw=0.5,
            edgecolor=INK,
            alpha=0.85,
            # A node has the same colour in all pictures of a Swarm.
            facecolor=next(reds) if target else _colour(names, name),
            label=f"{name} (target)" if target else name,
        )
        if target:
            _unnoticed(axes, view, base, top)
        base = top
    _missing(axes, view, base)
    axes.set_ylim(0, view.limits.replicas * 1.08)
    _counted(axes, "Replicas serving, by node")
    _legend(axes, view, reverse=True)


def _missing(axes: Axes, view: View, serving: Sequence[int]) -> None:
    """What is wanted, and what there is too little of it."""
    at = phases(view.journal)
    back = at["t_reverted"]
    # The number that is wanted changes at the fault and at the revert, between two samples.
    cuts = sorted({*view.times, 0.0, *([back] if back is not None else [])})
    cuts = [cut for cut in cuts if view.times[0] <= cut <= view.end]
    want = [wanted(view.journal, at, cut) for cut in cuts]
    have = [serving[max(i for i, t in enumerate(view.times) if t <= cut)] for cut in cuts]
    edges = [*cuts, view.end]
    corners = [edges[i + j] for i in range(len(cuts)) for j in (0, 1)]
    low, high = _stairs(have), _stairs(want)
    doubt = _stairs([_in_doubt(view, cut) for cut in cuts])
    for colour, label, when in ((LOST, "missing", False), ("#8a929b", "in doubt", True)):
        short = [a < b and bool(d) == when for a, b, d in zip(low, high, doubt, strict=True)]
        if any(short):
            axes.fill_between(
                corners,
                low,
                high,
                where=short,
                facecolor="none",
                edgecolor=colour,
                hatch="///",
                lw=0,
                label=label,
            )
    _twice(axes, view, max(want))
    axes.plot(corners, high, color=INK, lw=1.1, ls=":", label="wanted")


def _unnoticed(axes: Axes, view: View, base: Sequence[int], top: Sequence[int]) -> None:
    """Cross out what the managers still count although it is gone."""
    at = phases(view.journal)
    since, until = unnoticed(view.journal, at)
    since = max(since, at["t_unreachable"] or 0.0)
    index = max((i for i, time in enumerate(view.times) if time <= since), default=0)
    if until > since and top[index] > base[index]:
        axes.fill_between(
            [since, until],
            base[index],
            top[index],
            facecolor="none",
            edgecolor=INK,
            hatch="xx",
            lw=0,
            alpha=0.55,
            label="out of reach, not noticed",
        )


def _twice(axes: Axes, view: View, level: float) -> None:
    """Replicas that ran on both sides of a partition: on top of what is wanted."""
    count = sum(view.journal.duplicates.values())
    at = view.moments()
    if count:
        axes.fill_between(
            [at.get("t_running", at.get("t_down", 0.0)), at.get("t_reverted", view.end)],
            level,
            level + count,
            facecolor="none",
            edgecolor=_COLOURS[5],
            hatch="\\\\\\",
            lw=0.8,
            label="running twice",
        )


def _colour(names: Sequence[str], name: str) -> str:
    return _COLOURS[names.index(name) % len(_COLOURS)] if name in names else "#9aa1a9"


def _in_doubt(view: View, moment: float) -> bool:
    """Whether a new leader had not heard of every node yet: that says nothing about replicas."""
    index = max((i for i, time in enumerate(view.times) if time <= moment), default=0)
    return "unknown" in view.journal.samples[index].states.values()


def _on_live(sample: Sample, node: str) -> int:
    return sample.nodes.get(node, 0) if sample.states.get(node) == "ready" else 0


# -- replicas per service --------------------------------------------------------------------------


def services(axes: Axes, view: View) -> None:
    """Replicas by service; what is missing of the wanted number is shaded."""
    samples, journal = view.journal.samples, view.journal
    names = sorted({name for sample in samples for name in sample.services})
    counts = {name: [s.services.get(name, 0) for s in samples] for name in names}
    shown = _most_telling(counts, set())
    doubt = _stairs([_in_doubt(view, time) for time in view.times])
    for index, (name, hue) in enumerate(zip(shown, _COLOURS * 2, strict=False)):
        # Lines of equal height would hide one another: shift each by a hair.
        shift = 0.035 * (index - (len(shown) - 1) / 2)
        values, want = _stairs(counts[name]), journal.wanted.get(name, 0)
        twice = journal.duplicates.get(name, 0)
        label = f"{name} ({twice} ran twice)" if twice else name
        line = [value + shift for value in values]
        axes.plot(view.corners, line, color=hue, lw=1.8, label=label)
        axes.hlines(want, view.times[0], view.end, color=hue, lw=0.8, ls=":", alpha=0.8)
        for colour, when in ((LOST, False), ("#8a929b", True)):
            short = [n < want and bool(d) == when for n, d in zip(values, doubt, strict=True)]
            axes.fill_between(
                view.corners, values, want, where=short, facecolor=colour, alpha=0.22, lw=0
            )
    axes.set_ylim(-0.3, view.limits.of_service * 1.1 + 0.2)
    _counted(axes, "Replicas serving, by service", len(counts) - len(shown))
    _legend(axes, view)


# -- probes ----------------------------------------------------------------------------------------


def probes(axes: Axes, view: View) -> None:
    """How long each probe took; a lost one is a red tick from top to bottom."""
    from matplotlib.ticker import FixedLocator, FormatStrFormatter, NullFormatter

    good = [probe for probe in view.journal.probe_log if probe.ok]
    lost = [probe.at_s - view.fault for probe in view.journal.probe_log if not probe.ok]
    axes.scatter(
        [probe.at_s - view.fault for probe in good],
        [max(probe.latency_ms, 0.1) for probe in good],
        s=5,
        color=GOOD,
        linewidths=0,
        alpha=0.7,
        rasterized=len(good) > _MANY,  # so many points would be megabytes of SVG
    )
    across = axes.get_xaxis_transform()
    axes.vlines(lost, 0.0, 1.0, color=LOST, lw=1.0, alpha=0.65, transform=across)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator([1, 10, 100, 1000, 10_000]))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(1.0, view.limits.slowest_ms * 1.6)
    axes.set_ylabel("ms")
    title = f"Probes: {len(good)} answered, {len(lost)} lost"
    axes.set_title(title, loc="left", fontsize=10.5)


# -- what all panels share -------------------------------------------------------------------------


def moments(axes: Axes, view: View) -> None:
    """Lines at the moments that matter most; grey where no manager answered."""
    for since, until, _ in view.journal.blind:
        since, until = since - view.fault, until - view.fault
        axes.axvspan(since, until, facecolor=INK, edgecolor=INK, alpha=0.2, lw=0, hatch="..")
    for key, at in view.moments().items():
        if key in _LINES:
            colour = LOST if key == "t_fault" else INK
            axes.axvline(at, color=colour, lw=1.0, ls="--", alpha=0.6)


def _stairs(values: Sequence[float]) -> list[float]:
    """Corners of stairs: each value lasts until the next one."""
    return [value for value in values for _ in (0, 1)]


def _counted(axes: Axes, title: str, hidden: int = 0) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.grid(axis="y", color=INK, alpha=0.08)
    axes.set_ylabel("replicas")
    more = f" ({hidden} that changed least not shown)" if hidden > 0 else ""
    axes.set_title(title + more, loc="left", fontsize=10.5)


def _legend(axes: Axes, view: View, *, reverse: bool = False) -> None:
    handles, labels = axes.get_legend_handles_labels()
    first = dict(zip(labels, handles, strict=True))  # what is said of several targets, once
    words = list(reversed(first)) if reverse else list(first)
    keys = [first[word] for word in words]
    if view.narrow:
        columns = 3 if max(map(len, words), default=0) <= _SHORT else 2
        below = (-0.01, -0.05)
        axes.legend(keys, words, loc="upper left", bbox_to_anchor=below, ncols=columns, **_PLAIN)
    else:
        axes.legend(keys, words, loc="center left", bbox_to_anchor=(1.0, 0.5), **_PLAIN)


def _most_telling(series: Mapping[str, Sequence[int]], always: set[str]) -> list[str]:
    """The targets, then what changed most, then the largest; in the order of their names."""
    order = sorted(
        series,
        key=lambda name: (
            name not in always,
            min(series[name]) - max(series[name]),
            -max(series[name]),
            name,
        ),
    )
    return sorted(order[:_MOST])
