"""A line of a log for a terminal: time, replica and node in a colour, then the words."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from swarmctl.colours import SERVICES, places
from swarmctl.logs.line import Line
from swarmctl.reading.texts import clean


class Painter:
    """Gives each replica a colour that follows from its name, and keeps it.

    Args:
        replicas: those that are known to be shown together.
    """

    def __init__(self, replicas: Iterable[str]) -> None:
        self._places = places(replicas)
        self._width = max((len(replica) for replica in self._places), default=0)

    def text(self, line: Line) -> Text:
        """The line, without what a terminal would obey."""
        place = self._places.setdefault(line.replica, places([line.replica])[line.replica])
        self._width = max(self._width, len(line.replica))
        moment = line.at.astimezone().strftime("%H:%M:%S.%f")[:-3]
        who = f"{line.replica:<{self._width}} {line.node}"
        return Text.assemble(
            (f"{moment} ", "dim"),
            (f"{clean(who)} ", SERVICES[place]),
            ("│ ", "dim"),
            clean(line.text),
        )
