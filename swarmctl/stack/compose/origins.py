"""Where the values of a stack of several files are written."""

from __future__ import annotations

from dataclasses import dataclass, field

from swarmctl.reading.yaml_nodes import Path


@dataclass(frozen=True, slots=True)
class Place:
    """A path within one of the files; files are counted from 0."""

    file: int
    path: Path


@dataclass(slots=True)
class Origins:
    """Where the values of a merged stack are written."""

    _places: dict[Path, Place] = field(default_factory=dict)

    def of(self, path: Path) -> Place:
        """The place of a value."""
        for length in range(len(path), 0, -1):
            place = self._places.get(path[:length])
            if place is not None:
                return Place(place.file, (*place.path, *path[length:]))
        return Place(0, path)

    def put(self, path: Path, place: Place) -> None:
        """Note that a value, with everything in it, is written there."""
        for known in [known for known in self._places if known[: len(path)] == path]:
            del self._places[known]
        self._places[path] = place
