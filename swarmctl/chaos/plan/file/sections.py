"""Parts of an experiment file while they are read: only what is known to be well formed is used."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, TypeVar

from swarmctl.chaos.plan.file.schema import Flaw
from swarmctl.reading import quantities
from swarmctl.reading.document import Document
from swarmctl.reading.yaml_nodes import Path

T = TypeVar("T")


@dataclass(frozen=True)
class Section:
    """A mapping of the file.

    Args:
        document: the file.
        place: of the mapping.
        value: the mapping; empty when it is none.
        flaws: of the whole file; more are added.
    """

    document: Document[Any]
    place: Path
    value: Any
    flaws: list[Flaw]

    def section(self, key: str | int) -> Section:
        """A mapping within; empty when there is none."""
        inside = self.value.get(key) if isinstance(self.value, dict) else self.value[int(key)]
        value = inside if isinstance(inside, dict) else {}
        return Section(self.document, (*self.place, key), value, self.flaws)

    def has(self, key: str) -> bool:
        """Whether it is there, and nothing is wrong with it."""
        place = (*self.place, key)
        return key in self.value and not any(f.place[: len(place)] == place for f in self.flaws)

    def get(self, key: str, otherwise: Any) -> Any:
        """The value, if it is there and right."""
        return self.value[key] if self.has(key) else otherwise

    def text(self, *keys: str) -> str:
        """A single value as it was written."""
        return self.document.raw((*self.place, *keys))

    def seconds(self, key: str, otherwise: T) -> float | T:
        """A duration in seconds, if it is there and right."""
        return quantities.seconds(self.value[key]) if self.has(key) else otherwise

    def percent(self, key: str, otherwise: T, *, above_zero: bool = False) -> float | T:
        """A number of per cent, if it is there and right."""
        if not self.has(key):
            return otherwise
        found = quantities.percent(self.value[key])
        if above_zero and found == 0:
            self.wrong(key, "must be over 0 %")
            return otherwise
        return found

    def command_line(self, key: str) -> None:
        """Say it if a text cannot be taken apart into words."""
        try:
            shlex.split(self.value[key])
        except ValueError as fault:
            self.wrong(key, f"is no command line: {fault}")

    def wrong(self, key: str, text: str) -> None:
        """Note what is wrong with a value; ``""`` for the whole section."""
        self.flaws.append(Flaw((*self.place, key) if key else self.place, text))
