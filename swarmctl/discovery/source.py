"""The live Swarm as the agent's source: managers come and go, EC2 is asked anew for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

import docker.errors

from swarmctl.discovery.consul import key_values
from swarmctl.discovery.edition import KeyValue
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.ssh import ManagerError

if TYPE_CHECKING:
    from swarmctl.cluster import Target
    from swarmctl.swarm.client import SwarmClient
    from swarmctl.swarm.connect import Failover
    from swarmctl.swarm.model import Swarm
    from swarmctl.swarm.shell import Shells

KEYS_EVERY_S = 5.0
# Managers may have been replaced when none has answered for so long.
RESOLVE_AFTER_S = 15.0


class LiveSource:
    """The managers of a target.

    Args:
        target: found at the start.
        resolve: finds the target anew.
        kv_prefix: of the configs' names that are key/value entries; ``""`` for none.
    """

    def __init__(self, target: Target, resolve: Callable[[], Target], kv_prefix: str = "") -> None:
        self.target = target
        self._resolve, self._prefix = resolve, kv_prefix
        self._failover: Failover = target.failover()
        self._heard_at = self._keys_at = time.monotonic()
        self._keys: tuple[KeyValue, ...] | None = None

    def snapshot(self) -> Swarm:
        """See :class:`swarmctl.discovery.agent.Source`."""
        try:
            swarm = self._failover.snapshot()
        except SwarmctlError:
            if time.monotonic() - self._heard_at > RESOLVE_AFTER_S:
                self._heard_at = time.monotonic()
                self.target = self._resolve()
                self._failover.only(self.target.endpoints)
            raise
        self._heard_at = time.monotonic()
        return swarm

    def cluster_id(self) -> str:
        """The Swarm's id, which stays the same for its whole life."""
        return self._failover.cluster_id()

    def shell(self) -> Shells | None:
        """Commands on the nodes of the target that was found last.

        ``None`` if it has no addresses of nodes; see :meth:`swarmctl.cluster.Target.shell`.
        """
        from swarmctl.swarm.shell import Shells

        return Shells(lambda: self.target.nodes()) if self.target.instances else None

    def keys(self) -> tuple[KeyValue, ...]:
        """See :class:`swarmctl.discovery.agent.Source`; the configs are read every 5 s."""
        if not self._prefix:
            return ()
        now = time.monotonic()
        if self._keys is None or now - self._keys_at >= KEYS_EVERY_S:
            self._keys = key_values.entries(self._failover.ask(_configs), self._prefix)
            self._keys_at = now
        return self._keys

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self._failover.close()


def _configs(client: SwarmClient) -> list[dict[str, object]]:
    try:
        return list(client.ask(client.docker.api.configs))
    except docker.errors.APIError as fault:
        raise ManagerError(f"{client.endpoint}: cannot list configs: {fault}") from fault
