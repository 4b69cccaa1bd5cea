"""Every text of the page can be read: WCAG 2.2 AA, 4.5:1."""

from __future__ import annotations

import re

import pytest

from swarmctl import colours
from swarmctl.web.app import STATIC

LEAST = 4.5
LIGHT, DARK = re.findall(r":root \{(.*?)\}", (STATIC / "style.css").read_text(), re.DOTALL)
SCHEMES = {
    name: dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", found))
    for name, found in (("light", LIGHT), ("dark", DARK))
}


def test_black_on_white_has_the_highest_contrast() -> None:
    assert colours.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert colours.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colour", colours.SERVICES)
def test_the_text_on_every_services_colour_is_readable(colour: str) -> None:
    assert colours.contrast(colours.text_on(colour), colour) >= LEAST


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("text", ["ink", "soft", "good", "bad", "warn", "accent"])
@pytest.mark.parametrize("ground", ["paper", "panel"])
def test_every_other_text_is_readable(scheme: str, text: str, ground: str) -> None:
    found = SCHEMES[scheme]
    assert colours.contrast(found[text], found[ground]) >= LEAST


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_text_of_a_tip_is_readable(scheme: str) -> None:
    assert colours.contrast(SCHEMES[scheme]["ink"], SCHEMES[scheme]["paper"]) >= LEAST
