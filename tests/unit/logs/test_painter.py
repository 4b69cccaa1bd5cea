"""A line in a terminal: nothing that the terminal would obey, and a colour that stays."""

from __future__ import annotations

from datetime import UTC, datetime

from swarmctl.cli.show.logs import Painter
from swarmctl.logs.line import Line


def line(replica: str, text: str) -> Line:
    return Line(datetime(2026, 11, 28, tzinfo=UTC), "web", replica, "t", "wkr1", "", text)


def test_escapes_of_a_service_do_not_reach_the_terminal() -> None:
    shown = Painter(["web.1"]).text(line("web.1", "\x1b[2J\x1b]0;title\x07red\x07 [bold]")).plain
    assert shown.endswith("web.1 wkr1 │ red [bold]")
    assert "\x1b" not in shown


def test_a_replica_keeps_its_colour_whoever_is_shown_beside_it() -> None:
    def colour(painter: Painter, replica: str) -> str:
        return str(painter.text(line(replica, "x")).spans[1].style)

    many = Painter(["web.1", "web.2"])
    assert colour(many, "web.1") == colour(Painter(["web.1"]), "web.1")
    assert colour(many, "web.1") != colour(many, "web.2")
    assert colour(many, "web.3") == colour(Painter(["web.3"]), "web.3")
