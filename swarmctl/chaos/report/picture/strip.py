"""The strip at the top: the state of the Swarm over time, and the moments' names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from swarmctl.chaos.journal.phases import NAMES, stretches
from swarmctl.chaos.report.picture import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of each state of the Swarm: its colour, the colour of the text in it, and its name.
_STATES = {
    "whole": (canvas.GOOD, "#ffffff", "whole"),
    "unnoticed": (canvas.LOST, "#ffffff", "unnoticed"),
    "waiting": ("#e69f00", "#101010", "waiting"),
    "starting": ("#f0c75e", "#101010", "starting"),
    "missing": (canvas.LOST, "#ffffff", "missing"),
    "doubt": ("#a9b0b8", "#101010", "in doubt"),
    "blind": ("#6f7780", "#ffffff", "no answer"),
}


def draw_strip(axes: Axes, view: canvas.View) -> None:
    """Green while the Swarm is whole, red while the managers do not know that it is not."""
    for part in stretches(view.journal):
        colour, ink, name = _STATES[part.state]
        long = part.until_s - part.since_s
        axes.barh(0.6, long, left=part.since_s, height=0.8, color=colour, lw=0)
        fits = (
            label
            for label in (f"{name} {long:.1f} s", f"{long:.1f} s")
            if long > canvas.letter(view) * len(label)
        )
        middle = part.since_s + long / 2
        axes.text(middle, 0.58, next(fits, ""), ha="center", va="center", fontsize=8, color=ink)
    _draw_fault_bar(axes, view)
    axes.set_ylim(-0.2, 1.05)
    axes.set_axis_off()
    _draw_names(axes, view)


def _draw_fault_bar(axes: Axes, view: canvas.View) -> None:
    """A bar below: the fault is in force, then it is being reverted."""
    at = view.moments()
    until = at.get("revert", view.end)
    axes.barh(0.0, until, height=0.22, color=canvas.INK, alpha=0.75, lw=0)
    if "t_reverted" in at:
        axes.barh(
            0.0, at["t_reverted"] - until, left=until, height=0.22, color=canvas.INK, alpha=0.3
        )


def _draw_names(axes: Axes, view: canvas.View) -> None:
    """The moments' names above the strip, each on the lowest line where it touches no other."""
    width = view.limits.right_s - view.limits.left_s
    taken: list[Name] = []
    # From the right: a name extends to the right, so it stands above the next one's.
    for at, text in reversed(_labels(view, 0.012 * width)):
        long = canvas.letter(view) * (len(text) + 1)
        at_right = at + long > view.limits.right_s
        span = (at - long, at) if at_right else (at, at + long)
        level = lowest_level(at, span, taken)
        taken.append(Name(level, at, span))
        axes.annotate(
            text,
            xy=(at, 1.0),
            xytext=(0, 3 + 11 * level),
            textcoords="offset points",
            fontsize=8.5,
            ha="right" if at_right else "left",
            color=canvas.LOST if at == 0 else canvas.INK,
            annotation_clip=False,
            # A stem straight down from the corner of the text.
            arrowprops={
                "arrowstyle": "-",
                "lw": 0.7,
                "color": canvas.INK,
                "alpha": 0.5,
                "relpos": (1.0 if at_right else 0.0, 0.0),
                "shrinkA": 0.0,
                "shrinkB": 0.0,
            },
        )


def _labels(view: canvas.View, near: float) -> list[tuple[float, str]]:
    """The moments by time; those too close to each other in one label."""
    names = {**NAMES, "revert": "revert"}
    found: list[tuple[float, str]] = []
    for key, at in sorted(view.moments().items(), key=lambda item: item[1]):
        if found and at - found[-1][0] <= near:
            found[-1] = (found[-1][0], f"{found[-1][1]}, {names[key]}")
        else:
            found.append((at, names[key]))
    return found


class Name(NamedTuple):
    """A name above the strip: its line from below, the moment below its corner, and its ends."""

    level: int
    at: float
    span: tuple[float, float]


def lowest_level(at: float, span: tuple[float, float], taken: Sequence[Name]) -> int:
    """The lowest line on which a name covers no other, and no stem goes through a text."""

    def touches(level: int, other: Name) -> bool:
        since, until = other.span
        if other.level == level:
            return span[0] < until and since < span[1]
        if other.level < level:
            return since < at < until
        return span[0] < other.at < span[1]

    above_all = max((name.level for name in taken), default=-1) + 1
    levels = range(above_all + 1)
    return next((n for n in levels if not any(touches(n, name) for name in taken)), above_all)
