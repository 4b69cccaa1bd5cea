"""The panel of replicas by node."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from swarmctl.chaos.journal.journal import Sample
from swarmctl.chaos.journal.phases import phases, unnoticed, wanted
from swarmctl.chaos.report.picture import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PILL = "#7d2129"
_TARGETS = (canvas.LOST, "#b3303a", "#f29396")


def draw_nodes(axes: Axes, view: canvas.View) -> None:
    """Replicas by node, stacked: the targets' part shrinks, the others' grow."""
    samples = view.journal.samples
    names = sorted({name for sample in samples for name in sample.nodes})
    counts = {name: [_on_live(sample, name) for sample in samples] for name in names}
    counts = {name: values for name, values in counts.items() if any(values)}
    shown = canvas.most_changed(counts, view.targets)
    rest = [values for name, values in counts.items() if name not in shown]
    # The targets on top: when they shrink, nothing else moves.
    order = sorted(shown, key=lambda name: (name in view.targets, name))
    layers = [(name, counts[name]) for name in order]
    if rest:
        layers.insert(0, (f"{len(rest)} other nodes", [sum(at) for at in zip(*rest, strict=True)]))
    base = [0] * len(samples)
    reds = iter(_TARGETS * len(names))
    for name, values in layers:
        top = [low + count for low, count in zip(base, values, strict=True)]
        is_target = name in view.targets
        axes.fill_between(
            view.step_times,
            canvas.steps(base),
            canvas.steps(top),
            lw=0.5,
            edgecolor=canvas.INK,
            alpha=0.85,
            facecolor=next(reds) if is_target else view.limits.colour(name),
            label=f"{name} (target)" if is_target else name,
        )
        if is_target and not any(mark.silenced == name for mark in view.journal.marks):
            _cross_out_unnoticed(axes, view, base, top)
        base = top
    _hatch_missing(axes, view, base)
    axes.set_ylim(0, view.limits.replicas * 1.08)
    canvas.count_axis(axes, view, "Replicas serving, by node")
    canvas.legend(axes, view, view.limits.nodes, top_down=True)


def _on_live(sample: Sample, node: str) -> int:
    return sample.nodes.get(node, 0) if sample.states.get(node) == "ready" else 0


def _hatch_missing(axes: Axes, view: canvas.View, serving: Sequence[int]) -> None:
    """What is wanted, and what is missing of it."""
    at = phases(view.journal)
    back = at["t_reverted"]
    # The wanted number changes at the fault and at the revert, between two samples.
    cuts = sorted({*view.times, 0.0, *([back] if back is not None else [])})
    cuts = [cut for cut in cuts if view.times[0] <= cut <= view.end]
    times = canvas.step_times([*cuts, view.end])
    low = canvas.steps([serving[view.sample_at(cut)] for cut in cuts])
    high = canvas.steps([wanted(view.journal, at, cut) for cut in cuts])
    doubt = canvas.steps([view.is_in_doubt(cut) for cut in cuts])
    for colour, label, when in ((canvas.LOST, "missing", False), (canvas.DOUBT, "in doubt", True)):
        short = [a < b and bool(d) == when for a, b, d in zip(low, high, doubt, strict=True)]
        if any(short):
            _hatch(axes, times, low, high, colour, "///", label=label, where=short)
            _name_longest(axes, view, _Area(times, low, high, short), label)
    _hatch_duplicates(axes, view, max(high))
    axes.plot(times, high, color=canvas.INK, lw=1.1, ls=":", label="wanted")


def _cross_out_unnoticed(
    axes: Axes, view: canvas.View, base: Sequence[int], top: Sequence[int]
) -> None:
    """What the managers still count although it is gone."""
    at = phases(view.journal)
    since, until = unnoticed(view.journal, at)
    since = max(since, at["t_unreachable"] or 0.0)
    index = view.sample_at(since)
    if until > since and top[index] > base[index]:
        low, high, label = [base[index]] * 2, [top[index]] * 2, "out of reach, not noticed"
        _hatch(axes, [since, until], low, high, canvas.INK, "xx", label=label, alpha=0.55)
        _name(axes, view, (since, until), (base[index], top[index]), label)


def _hatch_duplicates(axes: Axes, view: canvas.View, level: float) -> None:
    """Replicas that ran on both sides of a partition: on top of what is wanted."""
    count, at = sum(view.journal.duplicates.values()), view.moments()
    if count:
        since = at.get("t_running", at.get("t_down", 0.0))
        times = [since, at.get("t_reverted", view.end)]
        low, high = [level] * 2, [level + count] * 2
        _hatch(axes, times, low, high, canvas.TWICE, "\\\\\\", label="running twice", lw=0.8)
        _name(axes, view, (times[0], times[1]), (level, level + count), f"{count} running twice")


class _Area(NamedTuple):
    """Hatched where ``where`` is true."""

    times: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    where: Sequence[bool]


def _name_longest(axes: Axes, view: canvas.View, area: _Area, what: str) -> None:
    """Write how many replicas are missing (or in doubt) into the longest part of an area."""
    parts = [
        [number for number, _ in found]
        for is_hatched, found in groupby(enumerate(area.where), key=lambda each: each[1])
        if is_hatched
    ]
    longest = max(parts, key=lambda part: area.times[part[-1]] - area.times[part[0]])
    most = max(longest, key=lambda number: area.high[number] - area.low[number])
    count = round(area.high[most] - area.low[most])
    place = area.times[longest[0]], area.times[longest[-1]]
    _name(axes, view, place, (area.low[most], area.high[most]), f"{count} {what}")


def _name(
    axes: Axes,
    view: canvas.View,
    times: tuple[float, float],
    levels: tuple[float, float],
    text: str,
) -> None:
    """Write into a hatched area what it means, if there is room; the legend has it as well."""
    room = levels[1] - levels[0] >= 0.08 * view.limits.replicas
    if room and times[1] - times[0] > canvas.letter(view) * (len(text) + 3):
        pill = {"boxstyle": "round,pad=0.25", "facecolor": _PILL, "edgecolor": "none"}
        middle = (times[0] + times[1]) / 2, (levels[0] + levels[1]) / 2
        axes.text(*middle, text, ha="center", va="center", fontsize=8.5, color="#ffffff", bbox=pill)


def _hatch(
    axes: Axes,
    times: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    colour: str,
    pattern: str,
    **style: Any,
) -> None:
    style = {"lw": 0.0, **style, "facecolor": "none", "edgecolor": colour, "hatch": pattern}
    axes.fill_between(times, low, high, **style)
