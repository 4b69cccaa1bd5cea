"""Colours that stay with a service: on the page, in reports and in pictures."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

# Okabe and Ito's palette without black, yellow and vermilion, then tones between them: readers who
# do not see all colours tell the first eight apart, all are readable on white and on near-black,
# and none looks like the red of what is lost.
SERVICES = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#8c6bb1", "#7f7f7f", "#b8a04a",
    "#2a9d9d", "#c98b5e", "#5b8c3a", "#a2559c", "#3f6fd1", "#d4b483", "#6f9bb5", "#9c7b5f",
)  # fmt: skip


def places(names: Iterable[str]) -> dict[str, int]:
    """The place of each service's colour in :data:`SERVICES`.

    It follows from the name, so another service changes it only where both want the same place;
    services share one only if there are more than colours.

    Args:
        names: of all services that are shown together.
    """
    free = set(range(len(SERVICES)))
    found = {}
    for name in sorted(set(names), key=lambda name: (zlib.crc32(name.encode()), name)):
        first = zlib.crc32(name.encode()) % len(SERVICES)
        tries = ((first + step) % len(SERVICES) for step in range(len(SERVICES)))
        found[name] = next((place for place in tries if place in free), first)
        free.discard(found[name])
    return found


def text_on(colour: str) -> str:
    """Black or white, whichever is easier to read on a colour such as ``#0072b2``: always 4.5:1."""
    return max(("#000000", "#ffffff"), key=lambda text: contrast(text, colour))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, from 1 to 21.

    https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
    """
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
