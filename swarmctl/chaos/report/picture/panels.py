"""The panels of replicas by service and of probes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from swarmctl.chaos.journal.journal import ProbeRecord
from swarmctl.chaos.report import words
from swarmctl.chaos.report.picture import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More dots than these are drawn as an image: as shapes they would be megabytes of SVG.
_MANY_DOTS = 4000


def draw_services(axes: Axes, view: canvas.View) -> None:
    """Replicas by service; what is missing of the wanted number is shaded."""
    samples, journal = view.journal.samples, view.journal
    names = sorted({name for sample in samples for name in sample.services})
    counts = {name: [s.services.get(name, 0) for s in samples] for name in names}
    shown = canvas.most_changed(counts, set())
    doubt = canvas.steps([view.is_in_doubt(time) for time in view.times])
    for index, name in enumerate(shown):
        colour = view.limits.colour(name)
        # Lines of equal height would hide one another: shift each a little.
        shift = 0.035 * (index - (len(shown) - 1) / 2)
        values, want = canvas.steps(counts[name]), journal.wanted.get(name, 0)
        twice = journal.duplicates.get(name, 0)
        label = f"{name} ({twice} ran twice)" if twice else name
        line = [value + shift for value in values]
        axes.plot(view.step_times, line, color=colour, lw=1.8, label=label)
        axes.hlines(want, view.times[0], view.end, color=colour, lw=0.8, ls=":", alpha=0.8)
        for shade, when in ((canvas.LOST, False), (canvas.DOUBT, True)):
            short = [n < want and bool(d) == when for n, d in zip(values, doubt, strict=True)]
            axes.fill_between(
                view.step_times, values, want, where=short, facecolor=shade, alpha=0.22, lw=0
            )
    axes.set_ylim(-0.3, view.limits.of_service * 1.1 + 0.2)
    hidden = len(counts) - len(shown)
    more = f" ({hidden} that changed least not shown)" if hidden else ""
    canvas.count_axis(axes, view, f"Replicas serving, by service{more}")
    canvas.legend(axes, view, view.limits.services)


def draw_probes(axes: Axes, view: canvas.View) -> None:
    """How long each probe took; a lost one is a line from top to bottom."""
    from matplotlib.ticker import FixedLocator, FormatStrFormatter, NullFormatter

    journal = view.journal
    direct = journal.probe_log
    if direct or not journal.load_balancer_log:
        label = f"to the nodes: {_lost(direct)} of {len(direct)} lost"
        _draw_log(axes, view, direct, canvas.GOOD, canvas.LOST, label)
    if journal.load_balancer_log:
        label = words.load_balancer_loss(journal)
        _draw_log(axes, view, journal.load_balancer_log, canvas.USERS, canvas.USERS_LOST, label)
        canvas.legend(axes, view, [label], below=-0.45)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator([1, 10, 100, 1000, 10_000]))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(1.0, view.limits.slowest_ms * 1.6)
    axes.set_ylabel("ms")
    every_node = words.every_node_loss(journal)
    shown = direct or journal.load_balancer_log
    lost = _lost(shown)
    words_ = f"Probes: {len(shown) - lost} answered, {lost} lost{every_node and '; '}{every_node}"
    canvas.title(axes, view, words_)


def _draw_log(
    axes: Axes, view: canvas.View, log: Sequence[ProbeRecord], colour: str, lost: str, label: str
) -> None:
    """A dot for each answer, a line for each loss."""
    good = [probe for probe in log if probe.ok]
    axes.scatter(
        [probe.at_s - view.fault for probe in good],
        [max(probe.latency_ms, 0.1) for probe in good],
        s=5,
        color=colour,
        linewidths=0,
        alpha=0.7,
        rasterized=len(good) > _MANY_DOTS,
        label=label,
    )
    times = [probe.at_s - view.fault for probe in log if not probe.ok]
    across = axes.get_xaxis_transform()
    axes.vlines(times, 0.0, 1.0, color=lost, lw=1.0, alpha=0.65, transform=across)


def _lost(log: Sequence[ProbeRecord]) -> int:
    return sum(not probe.ok for probe in log)
