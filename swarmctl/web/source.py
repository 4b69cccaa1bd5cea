"""What the page reads: the Swarm through its managers, the instances through EC2."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from swarmctl.audit.check import Check
from swarmctl.discovery.forgotten.ask_nodes import Whole
from swarmctl.discovery.source import LiveSource
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.overview import Machine
from swarmctl.swarm.parse import parse_swarm
from swarmctl.swarm.shell import Shells
from swarmctl.swarm.snapshot import take_snapshot

if TYPE_CHECKING:
    from swarmctl.cloud.instances import Instance
    from swarmctl.cluster import Target

INSTANCES_EVERY_S = 5.0


class Source(Protocol):
    """A Swarm to show."""

    @property
    def address(self) -> str:
        """The manager that answered last."""
        ...

    @property
    def cluster(self) -> str:
        """The cluster's name, or ``""``."""
        ...

    def snapshot(self) -> Swarm:
        """The Swarm now; raises ``SwarmctlError`` when no manager answers."""
        ...

    def whole(self) -> Swarm:
        """The Swarm now, with what a prediction needs; raises ``SwarmctlError`` as well."""
        ...

    def machines(self) -> Sequence[Machine]:
        """The instances as last seen."""
        ...

    def machines_now(self) -> Sequence[Machine]:
        """The instances, asked for now; as last seen if EC2 does not answer."""
        ...

    def with_ports(self, swarm: Swarm) -> Swarm:
        """The snapshot with the ports that only the nodes know, after an election."""
        ...

    def checks(self) -> Sequence[Check]:
        """What ``swarmctl audit`` finds now; raises ``SwarmctlError`` when no manager answers."""
        ...


class WebSource(LiveSource):
    """A Swarm that stays reachable, with its instances."""

    _whole: Whole | None = None
    _asked_at = 0.0
    _asking: threading.Thread | None = None
    _instances: tuple[Instance, ...] = ()

    def __init__(self, target: Target, resolve: Callable[[], Target]) -> None:
        super().__init__(target, resolve)
        self._ports = threading.Lock()  # one viewer asks the nodes at a time

    @property
    def address(self) -> str:
        """See :class:`Source`."""
        return self._failover.address

    @property
    def cluster(self) -> str:
        """See :class:`Source`."""
        return self.target.cluster

    def whole(self) -> Swarm:
        """See :class:`Source`."""
        return parse_swarm(self._failover.ask(take_snapshot))

    def machines(self) -> tuple[Instance, ...]:
        """See :class:`Source`; asked anew behind the caller's back, EC2 may be slow."""
        now = time.monotonic()
        idle = self._asking is None or not self._asking.is_alive()
        if self.target.cloud is not None and idle and now - self._asked_at > INSTANCES_EVERY_S:
            self._asked_at = now
            self._asking = threading.Thread(target=self._ask, name="instances", daemon=True)
            self._asking.start()
        return self._instances or self.target.instances

    def machines_now(self) -> tuple[Instance, ...]:
        """See :class:`Source`."""
        self._ask()
        return self._instances or self.target.instances

    def with_ports(self, swarm: Swarm) -> Swarm:
        """See :class:`Source`; nobody is asked unless a port is missing."""
        with self._ports:
            self._whole = self._whole or Whole(self.shell())
            return self._whole(swarm)

    def __exit__(self, *fault: object) -> None:
        with self._ports:
            if self._whole and isinstance(self._whole.shell, Shells):
                self._whole.shell.close()
        super().__exit__(*fault)

    def checks(self) -> tuple[Check, ...]:
        """See :class:`Source`."""
        from swarmctl.audit.audit import audit
        from swarmctl.audit.gather import Wanted, gather

        return audit(gather(self.target, Wanted()))

    def _ask(self) -> None:
        if self.target.cloud is not None:
            with suppress(SwarmctlError):  # the page shows what is known
                self._instances = self.target.cloud.instances(self.target.cluster)
