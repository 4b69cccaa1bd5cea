"""The services' colours as a style sheet: the page's scripts know only their places."""

from __future__ import annotations

from swarmctl import colours


def stylesheet() -> str:
    """A class for each colour: ``.c0`` sets ``--colour`` and the colour of a text upon it."""
    return "".join(
        f".c{place} {{ --colour: {colour}; --on: {colours.text_on(colour)} }}\n"
        for place, colour in enumerate(colours.SERVICES)
    )
