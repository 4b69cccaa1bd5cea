"""What a stack was last deployed with: kept in the Swarm, where every operator's machine reads it.

It is a config that carries the stack's label, so it is removed with the stack. A config's content
cannot be changed, but its labels can, in one step: the settings are in the label
``swarmctl.settings``. Values files are recorded by their path from the stack's folder. A value that
may be secret is not recorded, only its name.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swarmctl.errors import UsageError
from swarmctl.reading.secrets import looks_secret, without_passwords
from swarmctl.stack.render.settings import Settings
from swarmctl.stack.render.values import names
from swarmctl.swarm.engine import Engine, Json, delete
from swarmctl.swarm.model import STACK_LABEL

LABEL = "swarmctl.settings"
_CONTENT = b"The label swarmctl.settings has what swarmctl last deployed this stack with.\n"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The settings of the last deploy.

    Attributes:
        settings: its values files and single values.
        hidden: names of single values that were not recorded, because they may be secret.
    """

    settings: Settings
    hidden: tuple[str, ...] = ()


def config_name(stack: str) -> str:
    """The name of the config; Swarm allows 64 characters."""
    name = f"swarmctl-settings-{stack}"
    if len(name) > 64:
        name = f"{name[:51]}-{hashlib.sha256(stack.encode()).hexdigest()[:12]}"
    return name


def read(engine: Engine, stack: str, folder: Path) -> Recorded | None:
    """The settings of the last deploy; ``None`` if there are none.

    Args:
        engine: the Swarm.
        stack: the name it is deployed under.
        folder: the stack's folder on this machine.

    Raises:
        UsageError: the record is not one of this version of swarmctl.
    """
    entry = _find(engine, stack)
    if entry is None:
        return None
    try:
        content = json.loads(entry["Spec"]["Labels"][LABEL])
        files = tuple(Path(os.path.normpath(folder / name)) for name in content["values"])
        return Recorded(Settings(files, dict(content["set"])), tuple(content["hidden"]))
    except (KeyError, TypeError, ValueError) as fault:
        raise UsageError(
            f"the config {config_name(stack)} is not a record of this version of swarmctl",
            "--no-recorded deploys with the settings given here, and records them anew",
        ) from fault


def write(engine: Engine, stack: str, folder: Path, settings: Settings) -> None:
    """Record what the stack was deployed with, unless the same is recorded already."""
    hidden = sorted(name for name, value in settings.values.items() if _may_be_secret(name, value))
    content = {
        "values": [os.path.relpath(path, folder) for path in settings.files],
        "set": {n: v for n, v in sorted(settings.values.items()) if n not in hidden},
        "hidden": hidden,
    }
    spec: Json = {
        "Name": config_name(stack),
        "Labels": {STACK_LABEL: stack, LABEL: json.dumps(content)},
        "Data": base64.b64encode(_CONTENT).decode(),
    }
    entry = _find(engine, stack)
    if entry is None:
        engine.send("POST", "/configs/create", spec)
    elif entry["Spec"]["Labels"] != spec["Labels"]:
        version = {"version": str(entry["Version"]["Index"])}
        engine.send("POST", f"/configs/{entry['ID']}/update", spec, params=version)


def forget(engine: Engine, stack: str) -> None:
    """Remove the record: the stack is deployed from compose files, which have no settings."""
    if entry := _find(engine, stack):
        delete(engine, f"/configs/{entry['ID']}")


def _find(engine: Engine, stack: str) -> Json | None:
    listed = engine.get("/configs", name=[config_name(stack)]) or ()
    return next((c for c in listed if c["Spec"]["Name"] == config_name(stack)), None)


def _may_be_secret(name: str, value: Any) -> bool:
    if isinstance(value, Mapping):
        below = [name, *names(value)]
        return any(map(looks_secret, below)) or any(_may_be_secret("", v) for v in value.values())
    if isinstance(value, list):
        return looks_secret(name) or any(_may_be_secret("", entry) for entry in value)
    return looks_secret(name) or str(value) != without_passwords(str(value))
