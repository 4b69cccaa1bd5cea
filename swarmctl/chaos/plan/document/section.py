"""A mapping of a document while it is read: only its well-formed values are used."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, TypeVar

from swarmctl.chaos.plan.document.source import Mistake, Source
from swarmctl.reading import quantities
from swarmctl.reading.yaml_nodes import Path

T = TypeVar("T")


@dataclass(frozen=True)
class Section:
    """A mapping of the document.

    Args:
        source: the document.
        path: of the mapping.
        value: the mapping; empty if the document has something else there.
        mistakes: of the whole document; more are added.
    """

    source: Source
    path: Path
    value: Any
    mistakes: list[Mistake]

    def section(self, key: str | int) -> Section:
        """A mapping within; empty if there is none."""
        inside = self.value.get(key) if isinstance(self.value, dict) else self.value[int(key)]
        value = inside if isinstance(inside, dict) else {}
        return Section(self.source, (*self.path, key), value, self.mistakes)

    def has(self, key: str) -> bool:
        """Whether the key is there, and nothing is wrong with its value."""
        path = (*self.path, key)
        return key in self.value and not any(m.path[: len(path)] == path for m in self.mistakes)

    def get(self, key: str, default: Any) -> Any:
        """The value, if it is there and well formed."""
        return self.value[key] if self.has(key) else default

    def raw(self, *keys: str) -> str:
        """A single value as it was written."""
        return self.source.raw((*self.path, *keys))

    def seconds(self, key: str, default: T, minimum: str = "0s") -> float | T:
        """A duration in seconds, if it is there and well formed."""
        if not self.has(key):
            return default
        found = quantities.seconds(self.value[key])
        if found < quantities.seconds(minimum):
            self.wrong(key, f"{self.value[key]} is below the minimum of {minimum}")
            return default
        return found

    def percent(self, key: str, default: T, *, above_zero: bool = False) -> float | T:
        """A percentage, if it is there and well formed."""
        if not self.has(key):
            return default
        found = quantities.percent(self.value[key])
        if above_zero and found == 0:
            self.wrong(key, "must be above 0 %")
            return default
        return found

    def check_command_line(self, key: str) -> None:
        """Add a mistake if a text cannot be split into words."""
        try:
            shlex.split(self.value[key])
        except ValueError as error:
            self.wrong(key, f"is not a command line: {error}")

    def wrong(self, key: str, text: str) -> None:
        """Add a mistake of a value; ``""`` for the whole section."""
        self.mistakes.append(Mistake((*self.path, key) if key else self.path, text))

    def key(self, name: str) -> str:
        """How the user writes this key: in a file, or as an option."""
        return self.source.key((*self.path, name))
