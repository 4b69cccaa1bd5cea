"""Which EC2 instance has which private address, asked for only when an unknown one turns up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from swarmctl.cloud.instances import Instance

# An address that no instance has is not asked for at every poll.
ASK_AGAIN_S = 10.0


@dataclass
class InstanceIds:
    """The instances of a cluster.

    Args:
        read: asks EC2 for all of them.
        clock: seconds.
    """

    read: Callable[[], Iterable[Instance]]
    clock: Callable[[], float] = time.monotonic
    running: Mapping[str, str] = field(default_factory=dict)  # id by private address
    all: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    _read_at: float | None = None

    def refresh(self, addresses: Iterable[str], *, always: bool = False) -> None:
        """Ask EC2 if any of these addresses is unknown.

        Args:
            addresses: of endpoints.
            always: ask in any case.

        Raises:
            CloudError: the call failed.
        """
        now = self.clock()
        recent = self._read_at is not None and now - self._read_at < ASK_AGAIN_S
        if not always and (recent or set(addresses) <= set(self.running)):
            return
        found = tuple(self.read())
        self._read_at = now
        self.running = {i.private_ip: i.id for i in found if i.state == "running"}
        self.all = frozenset(i.id for i in found)
        self.addresses = frozenset(i.private_ip for i in found)
