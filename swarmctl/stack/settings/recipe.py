"""How a stack's secrets get new values: ``rotation.yml`` in the stack's folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from swarmctl.errors import UsageError
from swarmctl.reading import document as documents

FILE = "rotation.yml"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one secret is rotated.

    The commands run in a container of ``service``, as ``sh -c COMMAND rotate NEW FORMER``: what is
    behind the secret's name, as in ``_v2``, or ``''``.

    Attributes:
        secret: the value that has the secret's name, dotted.
        version: the value that has its version; from 2 on the template adds ``_v2`` to the name.
        service: without the stack's name.
        before: makes the new secret valid beside the former one; reads it from stdin.
        after: ends the former one, when no service uses it any more.
    """

    secret: str
    version: str
    service: str
    before: str
    after: str


def read(folder: Path) -> tuple[Recipe, ...]:
    """The recipes of a stack; none without the file.

    Raises:
        UsageError: the file cannot be read, or is not a list of recipes.
    """
    path = folder / FILE
    if not path.is_file():
        return ()
    found = documents.read(path).value
    if not isinstance(found, list):
        found = [found]
    return tuple(_recipe(path, entry) for entry in found)


def _recipe(path: Path, entry: Any) -> Recipe:
    keys = [field.name for field in fields(Recipe)]
    if not isinstance(entry, Mapping) or set(entry) != set(keys):
        raise UsageError(
            f"{path}: each entry must be a map with the keys {', '.join(keys)}, and no others"
        )
    if wrong := [key for key in keys if not isinstance(entry[key], str)]:
        raise UsageError(f"{path}: {', '.join(wrong)} must be text")
    return Recipe(**entry)
