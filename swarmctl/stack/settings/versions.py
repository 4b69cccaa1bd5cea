"""The versions of a rotated secret in the Swarm: ``NAME``, ``NAME_v2``, ``NAME_v3`` …

Secrets cannot be changed, except for their labels: those tell how far a rotation is. A deploy uses
the newest version that is valid, whatever was recorded of the last deploy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swarmctl.errors import UsageError
from swarmctl.stack.render.settings import Settings
from swarmctl.stack.render.values import layered
from swarmctl.stack.settings import recipe as recipes
from swarmctl.stack.settings.recipe import Recipe
from swarmctl.swarm.engine import Engine, Json

OF, NUMBER, STATE = "swarmctl.secret.of", "swarmctl.secret.version", "swarmctl.secret.state"
# Made: nothing accepts it yet. Valid: accepted beside the former one. Alone: the only one.
MADE, VALID, ALONE = "made", "valid", "alone"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a secret.

    Attributes:
        id: of the secret; ``""``: the first one does not exist any more.
        name: in the Swarm.
        number: from 1.
        state: how far its rotation is.
    """

    id: str
    name: str
    number: int
    state: str

    @property
    def suffix(self) -> str:
        """What is behind the first version's name."""
        return suffix(self.number)


def suffix(number: int) -> str:
    """``""`` for the first version, then ``_v2``, ``_v3`` …"""
    return f"_v{number}" if number > 1 else ""


def versions(secrets: Iterable[Json], name: str) -> list[Version]:
    """All versions of a secret, the oldest first. Pure.

    Args:
        secrets: of the Swarm, as the Engine lists them.
        name: of the first version.
    """
    found = []
    for entry in secrets:
        spec = entry["Spec"]
        labels = spec.get("Labels") or {}
        if spec["Name"] == name:
            found.append(Version(entry["ID"], name, 1, ALONE))
        elif labels.get(OF) == name and labels.get(NUMBER, "").isdigit():
            number, state = int(labels[NUMBER]), labels.get(STATE, MADE)
            found.append(Version(entry["ID"], spec["Name"], number, state))
    return sorted(found, key=lambda version: version.number)


def newest_valid(found: Iterable[Version]) -> Version | None:
    """The version to deploy."""
    return next((v for v in reversed(list(found)) if v.state != MADE), None)


def with_versions(
    folder: Path, given: Settings, settings: Settings, engine: Engine, note: Callable[[str], None]
) -> Settings:
    """The settings with the newest versions of the stack's secrets, unless those given name others.

    Args:
        folder: of the stack.
        given: the settings of the command line.
        settings: with those that were recorded.
        engine: the Swarm.
        note: called with each version that is not the first, one line.
    """
    found = recipes.read(folder)
    if not found:
        return settings
    secrets = engine.get("/secrets") or ()
    chosen: dict[str, Any] = {}
    for recipe in found:
        newest = newest_valid(versions(secrets, secret_name(folder, settings, recipe)))
        if newest and recipe.version not in given.names():
            chosen[recipe.version] = newest.number
            if newest.number > 1:
                note(f"{folder.name}: --set {recipe.version}={newest.number} (the newest secret)")
    kept = {n: v for n, v in settings.values.items() if n not in chosen}
    used = {n: v for n, v in chosen.items() if v > 1}
    return Settings(settings.files, {**kept, **used})


def secret_name(folder: Path, settings: Settings, recipe: Recipe) -> str:
    """The name of a secret's first version.

    Raises:
        UsageError: no value has it.
    """
    value: Any = layered(folder, settings.files, settings.values)
    for part in recipe.secret.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if not isinstance(value, str) or not value:
        raise UsageError(
            f"{folder / recipes.FILE}: {recipe.secret} is no value with a secret's name"
        )
    return value
