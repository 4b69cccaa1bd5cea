"""The picture of a run: the Swarm's state, replicas per node and per service, and lost probes.

Everything that is not data is drawn in one ink. Inside a page, and in an SVG file, that ink becomes
``currentColor``: light or dark, the text's own colour is the picture's too. The same journals give
the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from swarmctl.chaos.journal.journal import Journal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Replaced by currentColor in the finished SVG; no data is drawn in it.
INK = "#010203"
# So many pictures stand beside one another in a file; in a page the page decides.
_BESIDE = 3
_LONG = 36  # letters of the targets' names in a title
_PNG_DPI = 110
# Where an element is given a name, or referred to.
_NAMED = re.compile(r'(\bid="|href="#|url\(#)([^")]+)')
# A file has no page around it: its colours follow the reader's own choice of light or dark.
_FILE_STYLE = (
    "<style>svg{color:#16191d;background:#fff}"
    "@media (prefers-color-scheme:dark){svg{color:#e7eaee;background:#101317}}</style>"
)


@dataclass(frozen=True, slots=True)
class Frame:
    """The limits of the axes: shared by pictures that are to be compared.

    Args:
        left_s: where the time axis begins, in seconds since the fault.
        right_s: where it ends.
        replicas: the most replicas in all.
        of_service: the most replicas of one service.
        slowest_ms: the slowest answer.
    """

    left_s: float
    right_s: float
    replicas: int
    of_service: int
    slowest_ms: float = 100.0


def drawable(journal: Journal) -> bool:
    """Whether there is anything to draw: it came to the fault, and somebody looked."""
    return journal.moment("fault") is not None and bool(journal.samples)


def frame(journals: Sequence[Journal]) -> Frame:
    """The limits that all of these fit into."""
    drawn = [journal for journal in journals if drawable(journal)]
    fits = [_fit(journal) for journal in drawn] or [Frame(0.0, 1.0, 1, 1)]
    return Frame(
        min(fit.left_s for fit in fits),
        max(fit.right_s for fit in fits),
        max(fit.replicas for fit in fits),
        max(fit.of_service for fit in fits),
        max(fit.slowest_ms for fit in fits),
    )


def draw(journal: Journal, shared: Frame | None = None, *, narrow: bool = False) -> str:
    """The SVG element of a run; ``""`` when it has no samples or never came to the fault.

    Args:
        journal: a run that is over.
        shared: limits, so that it can be compared with others; by default its own.
        narrow: for half a page.
    """
    if not drawable(journal):
        return ""
    with _style(journal.id):
        figure = _figure(1, narrow)
        _run(figure, journal, shared or frame([journal]), narrow=narrow)
        svg = _svg(figure)
    # Several pictures of one page: what one refers to must not be found in another.
    prefix = re.sub(r"[^A-Za-z0-9]+", "-", journal.id)
    svg = _NAMED.sub(rf"\g<1>{prefix}-\g<2>", svg)
    return svg.replace("<svg ", '<svg role="img" aria-label="Replicas over time" ', 1)


def file(journals: Sequence[Journal], kind: str) -> bytes:
    """A picture file: one run, or several side by side on the same axes.

    Args:
        journals: the runs; those that never came to their fault are left out.
        kind: ``svg`` or ``png``.

    Returns:
        The file's content; empty when there is nothing to draw.
    """
    drawn = [journal for journal in journals if drawable(journal)]
    if not drawn:
        return b""
    several = len(drawn) > 1
    with _style(" ".join(journal.id for journal in drawn)):
        figure = _figure(len(drawn), several)
        parts: Sequence[SubFigure | Figure] = [figure]
        if several:
            columns = _columns(len(drawn))
            grid = figure.subfigures(-(-len(drawn) // columns), columns, squeeze=False)
            parts = list(grid.flat)
        shared = frame(drawn)
        for part, journal in zip(parts, drawn, strict=False):
            part.suptitle(_title(journal), fontsize=11, fontweight="bold")
            _run(part, journal, shared, narrow=several)
        if kind == "png":
            out = io.BytesIO()
            figure.savefig(out, format="png", dpi=_PNG_DPI, metadata={"Software": None})
            return out.getvalue()
        svg = _svg(figure)
    at = svg.index(">") + 1
    return f"{svg[:at]}{_FILE_STYLE}{svg[at:]}".encode()


def _fit(journal: Journal) -> Frame:
    fault = journal.moment("fault") or 0.0
    samples = journal.samples
    wanted = sum(journal.wanted.values()) + sum(journal.duplicates.values())
    return Frame(
        samples[0].at_s - fault,
        end(journal) - fault,
        max([wanted, *(sum(sample.services.values()) for sample in samples)]),
        max([*journal.wanted.values(), *(n for s in samples for n in s.services.values()), 1]),
        max([probe.latency_ms for probe in journal.probe_log if probe.ok] + [100.0]),
    )


def end(journal: Journal) -> float:
    """When the last thing happened, in run time."""
    marks = [mark.at_s for mark in journal.marks]
    return max([*marks, journal.ended_s or 0.0, journal.samples[-1].at_s])


@contextmanager
def _style(salt: str) -> Iterator[None]:
    # Imported here: it takes a second, and only reports need it.
    import matplotlib as mpl

    settings: dict[str, Any] = {
        "svg.fonttype": "none",  # text stays text: it can be searched, and uses the page's font
        "svg.hashsalt": salt,  # the same journal gives the same bytes
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "hatch.linewidth": 0.8,
    }
    with mpl.rc_context(settings):  # type: ignore[arg-type]  # its stubs want literal keys
        yield


def _columns(count: int) -> int:
    return 2 if count == 4 else min(count, _BESIDE)


def _title(journal: Journal) -> str:
    """What was done to what, short enough to stand beside another one."""
    names = [target.what for target in journal.targets]
    listed = ", ".join(names)
    if len(listed) > _LONG and len(names) > 1:
        listed = f"{names[0]} and {len(names) - 1} more"
    return f"{journal.experiment}: {listed} ({journal.outcome or 'not ended'})"


def _figure(count: int, narrow: bool) -> Figure:
    from matplotlib.figure import Figure

    columns = _columns(count)
    width, height = (6.4 * columns, 8.0 * -(-count // columns)) if narrow else (11, 8.2)
    return Figure(figsize=(width, height), layout=None if narrow else "constrained")


def _run(part: Figure | SubFigure, journal: Journal, limits: Frame, *, narrow: bool) -> None:
    """One run's panels, one above the other on one time axis."""
    from swarmctl.chaos.report import panels, strip

    axes = _narrow_axes(part, journal) if narrow else _wide_axes(part, journal)
    view = panels.View(journal, limits, narrow=narrow)
    axes[-1].set_xlim(limits.left_s, limits.right_s)
    strip.states(axes[0], view)
    panels.nodes(axes[1], view)
    panels.services(axes[2], view)
    if journal.probe_log:
        panels.probes(axes[3], view)
    for panel in axes[1:]:
        panels.moments(panel, view)
    axes[-1].set_xlabel("seconds since the fault")
    part.align_ylabels(axes[1:])


def _wide_axes(part: Figure | SubFigure, journal: Journal) -> Sequence[Axes]:
    """Legends beside the panels take what they need."""
    ratios = [0.55, 3.0, 2.4, 1.4] if journal.probe_log else [0.55, 3.0, 2.4]
    axes: Sequence[Axes] = part.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
    return axes


def _narrow_axes(part: Figure | SubFigure, journal: Journal) -> Sequence[Axes]:
    """Legends below the panels, in gaps; whatever they say, the panels stay where they are.

    So the time axes of pictures that stand upon one another are aligned.
    """
    rows = {"strip": 0.5, "title": 0.3, "nodes": 2.8, "whose": 1.3, "services": 2.0, "which": 0.9}
    if journal.probe_log:
        rows["probes"] = 1.3
    grid = part.add_gridspec(
        len(rows),
        1,
        height_ratios=list(rows.values()),
        left=0.105,
        right=0.985,
        top=0.92 if part.get_suptitle() == "" else 0.88,  # room for the moments' names
        bottom=0.06,
        hspace=0.03,
    )
    axes: list[Axes] = []
    for index, name in enumerate(rows):
        if name in ("strip", "nodes", "services", "probes"):
            axes.append(part.add_subplot(grid[index], sharex=axes[0] if axes else None))
    for panel in axes[:-1]:
        panel.tick_params(labelbottom=False)
    return axes


def _svg(figure: Figure) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return _numbered(text[text.index("<svg") :].replace(INK, "currentColor"))


def _numbered(svg: str) -> str:
    """Matplotlib's hashed names as plain numbers.

    They are made of positions whose last bits the layout leaves to chance.
    """
    names = dict.fromkeys(re.findall(r'\bid="([a-z][0-9a-f]{10})"', svg))
    numbers = {name: f"n{number}" for number, name in enumerate(names)}
    return _NAMED.sub(lambda found: found[1] + numbers.get(found[2], found[2]), svg)
