"""Writes and reads the record of the last backup in the Swarm."""

from __future__ import annotations

from swarmctl.backup.last import CONFIG, PREFIX, Last, last_of, ours
from swarmctl.backup.manifest import Manifest, Proof
from swarmctl.backup.objects import Asked
from swarmctl.swarm.engine import Engine, change_config


def record(engine: Engine, manifest: Manifest, where: str) -> None:
    """Record a new backup."""
    _label(engine, {"name": manifest.name, "at": manifest.taken_at, "where": where})


def record_proof(engine: Engine, proof: Proof) -> None:
    """Record that a backup was restored in the lab."""
    told = {"proven": proof.backup, "proven-at": proof.at}
    _label(engine, told | {"differences": str(len(proof.differences))})


def last_backup(engine: Asked) -> Last | None:
    """What is recorded; ``None``: no backup was ever taken."""
    return last_of(engine.get("/configs", name=[CONFIG]) or [])


def _label(engine: Engine, values: dict[str, str]) -> None:
    labels = {PREFIX + key: value for key, value in values.items()}
    found = ours(engine.get("/configs", name=[CONFIG]) or [])
    if found is None:
        spec = {"Name": CONFIG, "Labels": labels, "Data": "LQ=="}  # Swarm wants content
        engine.send("POST", "/configs/create", spec, repeat=True)
        return
    change_config(
        engine, found["ID"], lambda spec: {**spec, "Labels": {**(spec["Labels"] or {}), **labels}}
    )
