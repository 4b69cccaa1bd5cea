"""Turn autolock on and off. Nothing else in the Swarm's spec changes."""

from __future__ import annotations

from swarmctl.autolock.keys import autolocked, keep, swarm_key, wait_for_managers
from swarmctl.autolock.store import Store
from swarmctl.cluster import Target
from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.swarm.engine import Change, Engine, Json, change_swarm
from swarmctl.swarm.shell import Shells

CONFIRM_S = 60.0


def turn_on(engine: Engine, store: Store, *, dry_run: bool) -> list[str]:
    """Lock the managers and store the key. If they are locked already, only the key is stored.

    Args:
        engine: the Swarm.
        store: for the key.
        dry_run: change nothing.

    Returns:
        What was, or would be, changed.

    Raises:
        SwarmctlError: the key cannot be stored; the managers are then as they were.
    """
    stored = store.read()  # before anything changes: it fails if the store cannot be used
    was_on = autolocked(engine)
    lines = [] if was_on else ["managers: autolocked"]
    if dry_run:
        missing = not was_on or stored[:1] != (swarm_key(engine),)
        return [*lines, *([f"unlock key: kept in {store.where}"] if missing else [])]
    change_swarm(engine, _autolock(on=True))
    try:
        # Another key in the store may be the former one of a rotation that was interrupted.
        kept = keep(store, swarm_key(engine), *(stored if was_on else ()))
    except SwarmctlError:
        if not was_on:  # a lock whose key is stored nowhere is worse than none
            change_swarm(engine, _autolock(on=False))
        raise
    return [*lines, *([f"unlock key: kept in {store.where}"] if kept else [])]


def turn_off(
    engine: Engine, store: Store, shell: Shells, managers: list[str], *, dry_run: bool
) -> list[str]:
    """Stop locking the managers; when none of them needs the key any more, it is removed.

    Args:
        engine: the Swarm.
        store: of the key.
        shell: commands on the nodes.
        managers: their names.
        dry_run: change nothing.

    Raises:
        DeadlineExceededError: a manager may still need the key; it stays in the store.
    """
    lines = ["managers: not autolocked"] if autolocked(engine) else []
    gone = f"unlock key: removed from {store.where}"
    if dry_run:
        return [*lines, *([gone] if store.exists() else [])]
    change_swarm(engine, _autolock(on=False))
    wait_for_managers(shell, managers, "", CONFIRM_S)
    return [*lines, *([gone] if store.remove() else [])]


def managers_of(target: Target) -> list[str]:
    """The names of a cluster's managers, whether they run or not."""
    return [instance.name for instance in target.instances if instance.role == "manager"]


def shell_of(target: Target) -> Shells:
    """Commands on a cluster's nodes.

    Raises:
        UsageError: only one manager is known.
    """
    shell = target.shell()
    if shell is None:
        raise UsageError("--host names one manager only", "name the cluster: --cluster NAME")
    return shell


def _autolock(*, on: bool) -> Change:
    def change(spec: Json) -> Json:
        encryption = spec.get("EncryptionConfig") or {}
        if bool(encryption.get("AutoLockManagers")) == on:
            return spec
        return {**spec, "EncryptionConfig": {**encryption, "AutoLockManagers": on}}

    return change
