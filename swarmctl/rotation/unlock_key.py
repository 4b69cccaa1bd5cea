"""A new unlock key. The former one is kept until no manager needs it.

Each manager encrypts its keys anew when it hears of the new unlock key; one that restarts before
that needs the former one (moby#36326). A rotation is confirmed by the key files themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from swarmctl.autolock.keys import autolocked, keep, swarm_key, wait_for_managers
from swarmctl.autolock.store import Store
from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.rotation.spec import kept
from swarmctl.swarm.engine import Engine, change_swarm
from swarmctl.swarm.shell import Shells


def rotate(
    engine: Engine,
    store: Store,
    shell: Shells,
    managers: Sequence[str],
    *,
    timeout: float,
    dry_run: bool,
    note: Callable[[str], None],
) -> list[str]:
    """Give the managers a new unlock key, store it, and forget the former one.

    A rotation that was interrupted is finished instead of beginning another one.

    Args:
        engine: the Swarm; not one that repeats requests: a key in between would be lost.
        store: of the key.
        shell: commands on the nodes.
        managers: their names, of all that exist.
        timeout: seconds until every manager uses the new key.
        dry_run: change nothing.
        note: for progress.

    Returns:
        What was, or would be, changed.

    Raises:
        RefusedError: the managers are not autolocked, or one of them is not reachable.
        DeadlineExceededError: a manager does not use the new key yet; both keys stay stored.
    """
    _refuse_unless_all_hear(engine, managers)
    key, stored = swarm_key(engine), store.read()
    interrupted = bool(stored) and stored != (key,)
    lines = [f"unlock key: new, kept in {store.where}", "former unlock key: removed"]
    if dry_run:
        return (
            ["unlock key: the rotation under way would be finished", *lines[1:]]
            if interrupted
            else lines
        )
    if interrupted:
        note("a rotation of the unlock key was interrupted: finishing it")
        keep(store, key, *stored)
    else:
        keep(store, key)  # there is none yet where autolock was turned on by hand
        with kept(engine):
            change_swarm(engine, lambda spec: spec, "rotateManagerUnlockKey")
        former, key = key, swarm_key(engine)
        if key == former:
            raise SwarmctlError("the unlock key is the same as before")
        keep(store, key, former)
    note("waiting until every manager uses the new key; the former one stays stored until then")
    wait_for_managers(shell, managers, key, timeout)
    keep(store, key)
    return lines


def _refuse_unless_all_hear(engine: Engine, managers: Sequence[str]) -> None:
    if not autolocked(engine):
        raise RefusedError(
            "the managers are not autolocked: there is no unlock key",
            "to lock them: swarmctl autolock on",
        )
    live = {
        node["Description"]["Hostname"]
        for node in engine.get("/nodes")
        if (node.get("ManagerStatus") or {}).get("Reachability") == "reachable"
    }
    if silent := sorted(set(managers) - live):
        raise RefusedError(
            f"not reachable: {', '.join(silent)}. Such a manager would need the former key later",
            "start and unlock it (swarmctl node unlock), or demote and remove it",
        )
