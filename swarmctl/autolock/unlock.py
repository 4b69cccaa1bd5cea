"""Unlock managers that have restarted.

All at once: a manager that is unlocked becomes ready only when a majority is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import docker.errors

from swarmctl.errors import SwarmctlError
from swarmctl.swarm.client import SwarmClient
from swarmctl.swarm.patience import again
from swarmctl.swarm.ssh import Endpoint
from swarmctl.wait import wait_for

_LOCKED = "locked"
# Of LocalNodeState: the manager is starting, or waits for a majority.
_STARTING = ("pending", "error")


def unlock(
    nodes: Mapping[str, Endpoint],
    keys: Callable[[], Sequence[str]],
    timeout: float,
    *,
    dry_run: bool = False,
) -> dict[str, str]:
    """Unlock the managers among these nodes that are locked.

    The key is sent in a request to the Engine's socket: no process list or log has it.

    Args:
        nodes: how to reach them, by name.
        keys: to try one after the other; called for each node that is locked.
        timeout: seconds until each of them must answer, and then be back in its Swarm.
        dry_run: only look.

    Returns:
        By name: ``unlocked``, or the state it was in: ``active``, ``inactive``; ``locked`` with
        ``dry_run``.

    Raises:
        SwarmctlError: a node cannot be reached, no key opens it, or it is not back in time; the
            others are unlocked all the same.
    """

    def one(name: str, where: Endpoint) -> str:
        def connect() -> SwarmClient:
            return SwarmClient(where, request_timeout=timeout, member=False)

        # It may be booting.
        with connect() if dry_run else again(connect, timeout) as client:
            return _state(client) if dry_run else _unlock(client, name, keys, timeout)

    with ThreadPoolExecutor(max_workers=max(len(nodes), 1)) as pool:
        attempts = {name: pool.submit(one, name, where) for name, where in nodes.items()}
    failed = [f for attempt in attempts.values() if (f := attempt.exception())]
    for fault in failed:
        if not isinstance(fault, SwarmctlError):
            raise fault
    if failed:
        words = "\n  ".join(f.message for f in failed if isinstance(f, SwarmctlError))
        done = ", ".join(n for n, a in attempts.items() if not a.exception())
        raise SwarmctlError(
            f"not every manager was unlocked:\n  {words}",
            (f"unlocked or never locked: {done}; " if done else "")
            + "the same command goes on where this one stopped",
        )
    return {name: attempt.result() for name, attempt in attempts.items()}


def _unlock(
    client: SwarmClient, name: str, keys: Callable[[], Sequence[str]], timeout: float
) -> str:
    """Unlock one; ``unlocked``, or the state it was in."""
    tried = False

    def look() -> tuple[str | None, str]:
        nonlocal tried
        state = _state(client)
        if state == _LOCKED and not tried:
            _send(client, name, keys())
            tried = True
            return None, "unlocked, not back in the Swarm yet"
        if state == _LOCKED or state in _STARTING:
            return None, f"its Engine is {state}; a majority of the managers must run"
        return ("unlocked" if tried else state), state

    return wait_for(f"{name} to be in its Swarm", look, timeout=timeout, interval=0.5)


def _state(client: SwarmClient) -> str:
    return str(client.ask(client.docker.api.info)["Swarm"]["LocalNodeState"])


def _send(client: SwarmClient, name: str, keys: Sequence[str]) -> None:
    """Try the keys.

    Raises:
        SwarmctlError: no key fits.
    """
    for key in keys:
        try:
            client.ask(partial(client.docker.api.unlock_swarm, key))
        except docker.errors.APIError as fault:
            if "invalid key" not in str(fault.explanation):
                raise SwarmctlError(f"{name} was not unlocked: {fault.explanation}") from fault
        else:
            return
    what = f"none of the {len(keys)} stored keys opens it" if keys else "no key is stored"
    raise SwarmctlError(
        f"{name} is locked, and {what} (while another manager is up, `swarmctl autolock on` stores "
        "the Swarm's key)"
    )
