"""The whole picture of one run or of several side by side, as SVG or PNG.

Everything that is not data has one colour. In an SVG it becomes ``currentColor``, so the picture
follows the page's light or dark text. The same journals give the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.report.picture import canvas
from swarmctl.chaos.report.picture.nodes import draw_nodes
from swarmctl.chaos.report.picture.panels import draw_probes, draw_services
from swarmctl.chaos.report.picture.strip import draw_strip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# At most this many runs stand beside one another in a file; in a page the browser decides.
_BESIDE = 3
_LONG = 36  # characters of the targets' names in a title
_PNG_DPI = 110
_LEGEND_LINE = 0.26  # height of a legend's line, in units of the rows below
# An element's id, and references to it.
_NAMED = re.compile(r'(\bid="|href="#|url\(#)([^")]+)')
# A file has no page around it: it follows the reader's own choice of light or dark.
_FILE_STYLE = (
    "<style>svg{color:#16191d;background:#fff}"
    "@media (prefers-color-scheme:dark){svg{color:#e7eaee;background:#101317}}</style>"
)


def draw(journal: Journal, shared: canvas.Frame | None = None, inches: float = canvas.WIDE) -> str:
    """The SVG element of a run; ``""`` when it has no samples or never reached its fault.

    Args:
        journal: a run that is over.
        shared: limits shared with the runs it is compared with; by default its own.
        inches: its width: ``canvas.WIDE``, ``HALF`` or ``PHONE``.
    """
    if not canvas.is_drawable(journal):
        return ""
    with _style(journal.id):
        view = canvas.View(journal, shared or canvas.frame([journal]), inches)
        figure = _figure(1, view.limits, inches)
        _draw_run(figure, view)
        svg = _svg(figure)
    # Several pictures of one page must not share ids.
    prefix = re.sub(r"[^A-Za-z0-9]+", "-", f"{journal.id}-{inches}")
    svg = _NAMED.sub(rf"\g<1>{prefix}-\g<2>", svg)
    return svg.replace("<svg ", '<svg role="img" aria-label="Replicas over time" ', 1)


def file(journals: Sequence[Journal], kind: str) -> bytes:
    """A picture file: one run, or several side by side on the same axes.

    Args:
        journals: the runs; those that never reached their fault are left out.
        kind: ``svg`` or ``png``.

    Returns:
        The file's content; empty when there is nothing to draw.
    """
    drawn = [journal for journal in journals if canvas.is_drawable(journal)]
    if not drawn:
        return b""
    several, shared = len(drawn) > 1, canvas.frame(drawn)
    with _style(" ".join(journal.id for journal in drawn)):
        inches = canvas.HALF if several else canvas.WIDE
        figure = _figure(len(drawn), shared, inches)
        parts: Sequence[SubFigure | Figure] = [figure]
        if several:
            columns = _columns(len(drawn))
            grid = figure.subfigures(-(-len(drawn) // columns), columns, squeeze=False)
            parts = list(grid.flat)
        for part, journal in zip(parts, drawn, strict=False):
            part.suptitle(_title(journal), fontsize=11, fontweight="bold")
            _draw_run(part, canvas.View(journal, shared, inches))
        if kind == "png":
            out = io.BytesIO()
            figure.savefig(out, format="png", dpi=_PNG_DPI, metadata={"Software": None})
            return out.getvalue()
        svg = _svg(figure)
    at = svg.index(">") + 1
    return f"{svg[:at]}{_FILE_STYLE}{svg[at:]}".encode()


@contextmanager
def _style(salt: str) -> Iterator[None]:
    # Imported here: it takes a second.
    import matplotlib as mpl

    settings: dict[str, Any] = {
        "svg.fonttype": "none",  # text stays text: it can be searched, and uses the page's font
        "svg.hashsalt": salt,  # the same journal gives the same bytes
        "text.parse_math": False,  # a name with two dollar signs is no formula
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.edgecolor": canvas.INK,
        "axes.labelcolor": canvas.INK,
        "text.color": canvas.INK,
        "xtick.color": canvas.INK,
        "ytick.color": canvas.INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "hatch.linewidth": 0.8,
    }
    with mpl.rc_context(settings):  # type: ignore[arg-type]  # its stubs want literal keys
        yield


def _columns(count: int) -> int:
    return 2 if count == 4 else min(count, _BESIDE)


def _title(journal: Journal) -> str:
    """The fault, its targets and the outcome, short enough to stand beside another title."""
    names = [target.what for target in journal.targets]
    listed = ", ".join(names)
    if len(listed) > _LONG and len(names) > 1:
        listed = f"{names[0]} and {len(names) - 1} more"
    return f"{journal.experiment}: {listed} ({journal.outcome or 'not ended'})"


def _figure(count: int, limits: canvas.Frame, inches: float) -> Figure:
    from matplotlib.figure import Figure

    if inches == canvas.WIDE:
        return Figure(figsize=(inches, 8.2), layout="constrained")
    columns = _columns(count)
    height = 0.8 * sum(_narrow_rows(limits, inches, has_probes=True).values())
    return Figure(figsize=(inches * columns, height * -(-count // columns)), layout=None)


def _draw_run(part: Figure | SubFigure, view: canvas.View) -> None:
    """One run's panels, one above the other on one time axis."""
    axes = _narrow_axes(part, view) if view.narrow else _wide_axes(part, view)
    axes[-1].set_xlim(view.limits.left_s, view.limits.right_s)
    draw_strip(axes[0], view)
    draw_nodes(axes[1], view)
    draw_services(axes[2], view)
    if _has_probes(view.journal):
        draw_probes(axes[3], view)
    for panel in axes[1:]:
        canvas.mark_moments(panel, view)
    axes[-1].set_xlabel("seconds since the fault")
    part.align_ylabels(axes[1:])


def _has_probes(journal: Journal) -> bool:
    return bool(journal.probe_log or journal.load_balancer_log)


def _wide_axes(part: Figure | SubFigure, view: canvas.View) -> Sequence[Axes]:
    """Legends beside the panels take the room they need."""
    ratios = [0.55, 3.0, 2.4, 1.4] if _has_probes(view.journal) else [0.55, 3.0, 2.4]
    axes: Sequence[Axes] = part.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
    return axes


def _narrow_rows(limits: canvas.Frame, inches: float, *, has_probes: bool) -> dict[str, float]:
    """The heights of panels and of the gaps for the legends below them.

    They depend on the frame alone, so the axes of all pictures that share it are aligned.
    """

    def gap(names: Sequence[str], others: int) -> float:
        """Room for the legend of these names and of so many other entries, and for a title."""
        entries = min(len(names), canvas.MAX_SHOWN + 1) + others
        columns = canvas.legend_columns([*names, " " * 25], inches)
        second_line = 0.35 if inches < canvas.HALF else 0.0  # of the title below
        return 0.5 + second_line + _LEGEND_LINE * -(-entries // columns)

    rows = {"strip": 0.5, "title": 0.3, "nodes": 2.8, "nodes-legend": gap(limits.nodes, 4)}
    longest = [f"{name} (99 ran twice)" for name in limits.services]
    rows |= {"services": 2.0, "services-legend": gap(longest, 0)}
    if not has_probes:
        return rows
    # Its legend stands below the axis' own label.
    return {**rows, "probes": 1.3} | ({"probes-legend": 0.8} if limits.load_balancer else {})


def _narrow_axes(part: Figure | SubFigure, view: canvas.View) -> Sequence[Axes]:
    """Legends below the panels, in gaps of their own."""
    rows = _narrow_rows(view.limits, view.inches, has_probes=_has_probes(view.journal))
    phone = view.inches < canvas.HALF
    grid = part.add_gridspec(
        len(rows),
        1,
        height_ratios=list(rows.values()),
        left=0.67 / view.inches,
        right=0.985,
        # Room for the moments' names: on a phone they need more lines.
        top=(0.92 if part.get_suptitle() == "" else 0.88) - (0.04 if phone else 0.0),
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
    return _numbered(text[text.index("<svg") :].replace(canvas.INK, "currentColor"))


def _numbered(svg: str) -> str:
    """The SVG with Matplotlib's hashed ids replaced by numbers.

    The hashes depend on positions whose last bits vary from run to run.
    """
    names = dict.fromkeys(re.findall(r'\bid="([a-z][0-9a-f]{10})"', svg))
    numbers = {name: f"n{number}" for number, name in enumerate(names)}
    return _NAMED.sub(lambda found: found[1] + numbers.get(found[2], found[2]), svg)
