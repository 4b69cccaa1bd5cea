"""The picture of a run: replicas per service and per node over time, phases, and lost probes.

An SVG made to sit inside a page: everything that is not data is drawn in ``currentColor``, so the
page's own text colour, light or dark, is the picture's too.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from swarmctl.chaos.journal import Journal, Sample
from swarmctl.chaos.timeline import PHASES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Replaced by currentColor in the finished SVG; no data is drawn in it.
_INK = "#010203"
# Okabe and Ito's palette, without its black and yellow: told apart by colour-blind readers, and
# readable on white and on near-black.
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6bb1", "#7f7f7f")
_LOST = "#e5484d"
_MOST_LINES = 12
_LETTER = 0.0085  # about the width of a small letter, as a share of the picture's


def draw(journal: Journal) -> str:
    """The SVG element of a run; ``""`` when it has no samples or never came to the fault.

    Args:
        journal: a run that is over.
    """
    fault = journal.moment("fault")
    if fault is None or not journal.samples:
        return ""
    # Imported here: it takes a second, and only reports need it.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: dict[str, Any] = {
        "svg.fonttype": "none",  # text stays text: it can be searched, and uses the page's font
        "svg.hashsalt": journal.id,  # the same journal gives the same bytes
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.edgecolor": _INK,
        "axes.labelcolor": _INK,
        "text.color": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with mpl.rc_context(settings):  # type: ignore[arg-type]  # its stubs want literal keys
        probed = bool(journal.probe_log)
        figure = Figure(figsize=(11, 7.6 if probed else 6.0), layout="constrained")
        ratios = [3.0, 3.0, 1.6] if probed else [3.0, 3.0]
        axes = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
        _services(axes[0], journal, fault)
        _nodes(axes[1], journal, fault)
        if probed:
            _probes(axes[2], journal, fault)
        for panel in axes:
            _phases(panel, journal, fault)
        _name_phases(axes[0], journal, fault)
        axes[-1].set_xlabel("seconds since the fault")
        axes[-1].set_xlim(journal.samples[0].at_s - fault, _end(journal) - fault)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    return _inline(out.getvalue())


def _inline(svg: str) -> str:
    element = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    return element.replace("<svg ", '<svg role="img" aria-label="Replicas over time" ', 1)


def _end(journal: Journal) -> float:
    marks = [mark.at_s for mark in journal.marks]
    return max([*marks, journal.ended_s or 0.0, journal.samples[-1].at_s])


def _services(axes: Axes, journal: Journal, fault: float) -> None:
    series = {
        name: [sample.services.get(name, 0) for sample in journal.samples]
        for name in _names(sample.services for sample in journal.samples)
    }
    chosen = _most_telling(series)
    _lines(axes, journal, {name: series[name] for name in chosen}, fault)
    for name, colour in zip(chosen, _cycle(len(chosen)), strict=True):
        axes.axhline(journal.wanted.get(name, 0), color=colour, lw=0.8, ls=(0, (1, 3)), alpha=0.8)
    axes.set_title(_title("Replicas serving, per service", series, chosen), loc="left")
    axes.set_ylabel("replicas")


def _nodes(axes: Axes, journal: Journal, fault: float) -> None:
    targets = {target.node for target in journal.targets}
    series = {
        name: [_on_live(sample, name) for sample in journal.samples]
        for name in _names(sample.nodes for sample in journal.samples)
    }
    chosen = _most_telling(series, always=targets)
    labels = {name: f"{name} (target)" for name in targets}
    _lines(axes, journal, {name: series[name] for name in chosen}, fault, labels, targets)
    axes.set_title(_title("Replicas serving, per node", series, chosen), loc="left")
    axes.set_ylabel("replicas")


def _on_live(sample: Sample, node: str) -> int:
    return sample.nodes.get(node, 0) if sample.states.get(node) == "ready" else 0


def _probes(axes: Axes, journal: Journal, fault: float) -> None:
    good = [probe for probe in journal.probe_log if probe.ok]
    lost = [probe for probe in journal.probe_log if not probe.ok]
    axes.scatter(
        [p.at_s - fault for p in good],
        [max(p.latency_ms, 0.1) for p in good],
        s=5,
        color="#009e73",
        linewidths=0,
        alpha=0.7,
        label=f"answered ({len(good)})",
    )
    top = max([p.latency_ms for p in journal.probe_log] + [10.0]) * 1.6
    axes.scatter(
        [p.at_s - fault for p in lost],
        [max(p.latency_ms, 0.1) for p in lost],
        marker="x",
        s=26,
        color=_LOST,
        linewidths=1.4,
        label=f"lost ({len(lost)})",
    )
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(top=top)
    axes.set_ylabel("ms")
    axes.set_title("HTTP probes of the published services", loc="left")
    _legend(axes)


def _lines(
    axes: Axes,
    journal: Journal,
    series: Mapping[str, Sequence[int]],
    fault: float,
    labels: Mapping[str, str] | None = None,
    bold: frozenset[str] | set[str] = frozenset(),
) -> None:
    from matplotlib.ticker import MaxNLocator

    times = [sample.at_s - fault for sample in journal.samples]
    end = _end(journal) - fault
    for index, (name, colour) in enumerate(zip(series, _cycle(len(series)), strict=True)):
        counts = series[name]
        # Lines of equal height would hide one another: shift each by a hair.
        shift = 0.035 * (index - (len(series) - 1) / 2)
        axes.step(
            [*times, end],
            [count + shift for count in (*counts, counts[-1])],
            where="post",
            color=_LOST if name in bold else colour,
            lw=2.4 if name in bold else 1.7,
            label=(labels or {}).get(name, name),
        )
    axes.set_ylim(bottom=-0.3)
    axes.margins(y=0.12)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.grid(axis="y", color=_INK, alpha=0.08)
    _legend(axes)


def _legend(axes: Axes) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)


def _phases(axes: Axes, journal: Journal, fault: float) -> None:
    for since, until, _ in journal.blind:
        axes.axvspan(since - fault, until - fault, color=_INK, alpha=0.08, lw=0)
    for at, kind, _ in _moments(journal):
        colour = _LOST if kind == "fault" else _INK
        axes.axvline(at - fault, color=colour, lw=1.0, ls="--", alpha=0.55)


def _name_phases(axes: Axes, journal: Journal, fault: float) -> None:
    """Names above the first panel, each on the lowest level where it covers no other."""
    width = max(_end(journal) - journal.samples[0].at_s, 1.0)
    taken: list[float] = []  # how far each level is written on, in run time
    for at, kind, text in _moments(journal):
        level = next((i for i, until in enumerate(taken) if until <= at), len(taken))
        taken[level:] = [at + _LETTER * len(text) * width, *taken[level + 1 :]]
        axes.annotate(
            text,
            xy=(at - fault, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(2, 2 + 10 * level),
            textcoords="offset points",
            fontsize=8,
            color=_LOST if kind == "fault" else _INK,
        )
    axes.set_title(axes.get_title(loc="left"), loc="left", pad=8 + 10 * max(len(taken), 1))


def _moments(journal: Journal) -> list[tuple[float, str, str]]:
    """One line a phase: of several targets the last one down counts."""
    found = {mark.kind: mark.at_s for mark in journal.marks if mark.kind in PHASES}
    return sorted((at, kind, PHASES[kind]) for kind, at in found.items())


def _names(maps: Any) -> list[str]:
    return sorted({name for counts in maps for name in counts})


def _most_telling(
    series: Mapping[str, Sequence[int]], always: frozenset[str] | set[str] = frozenset()
) -> list[str]:
    """At most a dozen lines: the targets, then what changed most, then the largest."""
    order = sorted(
        series,
        key=lambda name: (
            name not in always,
            min(series[name]) - max(series[name]),
            -max(series[name]),
            name,
        ),
    )
    return sorted(order[:_MOST_LINES])


def _title(text: str, series: Mapping[str, Any], chosen: Sequence[str]) -> str:
    hidden = len(series) - len(chosen)
    return f"{text} ({hidden} that changed least not shown)" if hidden else text


def _cycle(count: int) -> list[str]:
    return [_COLOURS[i % len(_COLOURS)] for i in range(count)]
