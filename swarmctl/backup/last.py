"""The last backup and its proof, recorded in the Swarm, where every operator finds it.

A config object, for its labels: Swarm lets the labels of a config be changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from swarmctl.backup.manifest import Manifest, Proof
from swarmctl.backup.objects import Asked
from swarmctl.reading.times import time_or_none
from swarmctl.swarm.engine import Engine, change_config

CONFIG = "swarmctl-backup"
_PREFIX = "swarmctl.backup."


@dataclass(frozen=True, slots=True)
class Last:
    """The last backup of a Swarm.

    Attributes:
        name: the backup's.
        at: when it was taken.
        where: the store, as the operator named it.
        proven: the last backup that was restored in the lab; ``""``: none was.
        proven_at: when.
        differences: how many there were; 0: it is proven.
    """

    name: str
    at: datetime
    where: str
    proven: str = ""
    proven_at: datetime | None = None
    differences: int = 0


def record(engine: Engine, manifest: Manifest, where: str) -> None:
    """Record a new backup."""
    _label(engine, {"name": manifest.name, "at": manifest.taken_at, "where": where})


def record_proof(engine: Engine, proof: Proof) -> None:
    """Record that a backup was restored in the lab."""
    told = {"proven": proof.backup, "proven-at": proof.at}
    _label(engine, told | {"differences": str(len(proof.differences))})


def last_backup(engine: Asked) -> Last | None:
    """What is recorded; ``None``: no backup was ever taken."""
    found = _find(engine)
    labels = (found["Spec"].get("Labels") or {}) if found else {}
    told = {k.removeprefix(_PREFIX): v for k, v in labels.items() if k.startswith(_PREFIX)}
    at = time_or_none(told.get("at", ""))
    if at is None:
        return None
    differences = told.get("differences", "0")
    return Last(
        name=told.get("name", ""),
        at=at,
        where=told.get("where", ""),
        proven=told.get("proven", ""),
        proven_at=time_or_none(told.get("proven-at", "")),
        differences=int(differences) if differences.isdecimal() else 1,
    )


def _find(engine: Asked) -> Any:
    found = engine.get("/configs", name=[CONFIG]) or []
    return next((c for c in found if c["Spec"]["Name"] == CONFIG), None)


def _label(engine: Engine, values: dict[str, str]) -> None:
    labels = {_PREFIX + key: value for key, value in values.items()}
    found = _find(engine)
    if found is None:
        spec = {"Name": CONFIG, "Labels": labels, "Data": "LQ=="}  # Swarm wants content
        engine.send("POST", "/configs/create", spec, repeat=True)
        return
    change_config(
        engine, found["ID"], lambda spec: {**spec, "Labels": {**(spec["Labels"] or {}), **labels}}
    )
