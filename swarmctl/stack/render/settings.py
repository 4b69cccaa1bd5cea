"""The values given to a stack's template, over its ``values.yml``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swarmctl.stack.render.values import load_values, names


@dataclass(frozen=True, slots=True)
class Settings:
    """Values files and single values.

    Attributes:
        files: later ones win.
        values: dotted name → value; they win over all files.
    """

    files: tuple[Path, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    def names(self) -> set[str]:
        """The dotted names that these settings set, the maps around them not included."""
        found = set(self.values)
        for path in self.files:
            listed = names(load_values(path))
            found |= {n for n in listed if not any(o.startswith(f"{n}.") for o in listed)}
        return found

    def over(self, below: Settings) -> Settings:
        """These settings, with what ``below`` sets and they do not."""
        own = self.names()
        kept = {
            name: value
            for name, value in below.values.items()
            if not any(_overlap(name, other) for other in own)
        }
        files = [path for path in below.files if path not in self.files]
        return Settings((*files, *self.files), {**kept, **self.values})

    def words(self) -> str:
        """As options of the command line: ``--values prod.yml --set publish=host``."""
        files = [f"--values {path}" for path in self.files]
        return " ".join([*files, *(f"--set {n}={_written(v)}" for n, v in self.values.items())])


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
