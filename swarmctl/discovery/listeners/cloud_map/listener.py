"""Keeps a namespace in line with the catalogue; see :mod:`.records` for what is in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from swarmctl.cloud.cloud_map import CloudMap
from swarmctl.discovery.edition import Edition
from swarmctl.discovery.listeners.cloud_map.records import by_group, ids_by_group
from swarmctl.discovery.listeners.cloud_map.service import ServiceState
from swarmctl.discovery.listeners.listener import PublishError
from swarmctl.errors import SwarmctlError

# What is there is remembered, and read anew after so long: somebody may have changed it.
READ_AGAIN_S = 300.0
_SETTLE_EVERY_S = 0.5
_SETTLE_AGAIN_S = 1.0
_PARALLEL = 4  # services at the same time: a slow one holds up no other


@dataclass
class CloudMapListener:
    """See :class:`swarmctl.discovery.listeners.listener.Publisher`.

    Args:
        cloud: the namespace.
        owner: of what is made: the Swarm's id.
        note: called with each change, before it is made.
        patience_s: how long the ends of operations are waited for before the next edition may come;
            those that have not ended are asked for later.
    """

    cloud: CloudMap
    owner: str
    note: Callable[[str], None] = lambda _: None
    patience_s: float = 2.0
    name: str = "cloud-map"
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep  # replaced in tests
    _services: dict[str, ServiceState] = field(default_factory=dict)
    _read_at: float | None = None

    @property
    def refresh_s(self) -> float | None:
        """Soon while operations are under way, else when everything is read again."""
        return _SETTLE_AGAIN_S if self._busy else READ_AGAIN_S

    def publish(self, edition: Edition) -> None:
        """See :class:`swarmctl.discovery.listeners.listener.Listener`.

        All changes are begun before any is waited for. A service that fails is tried again after
        0.5 s, 1 s … 60 s and delays no other.

        Raises:
            PublishError: some services could not be published; names each.
            CloudError: the services could not be listed.
        """
        self._list()
        wanted = by_group(edition.catalogue.endpoints, self.owner)
        kept = ids_by_group(edition.catalogue.unknown)
        every = [self._service(name) for name in sorted({*wanted, *self._services})]
        self._settle(every, once=True)
        ready = [each for each in every if not each.waits]
        before = {each.name: each.failures for each in ready}
        self._each(
            ready,
            lambda each: each.begin(
                self.cloud, wanted.get(each.name, ()), kept.get(each.name, frozenset())
            ),
        )
        self._settle(ready)
        gone = [each for each in ready if each.name not in wanted]
        self._each(gone, lambda each: each.remove_if_empty(self.cloud))
        for each in ready:
            if not each.under_way and each.failures == before[each.name]:
                each.succeeded()
        self._forget(wanted)
        self._raise()

    def changes(self, edition: Edition) -> list[str]:
        """See :class:`swarmctl.discovery.listeners.listener.Publisher`."""
        self._list()
        wanted = by_group(edition.catalogue.endpoints, self.owner)
        kept = ids_by_group(edition.catalogue.unknown)
        lines = []
        for name in sorted({*wanted, *self._services}):
            each = self._service(name)
            each.read(self.cloud)
            todo = each.todo(wanted.get(name, ()), kept.get(name, frozenset()))
            lines += [f"+ {name} {r.id}" for r in todo.register]
            lines += [f"- {name} {r.id}" for r in todo.deregister]
            lines += [f"! {name} {r.id}: registered by another owner" for r in todo.conflicts]
        return lines

    @property
    def _busy(self) -> bool:
        return any(each.under_way for each in self._services.values())

    def _service(self, name: str) -> ServiceState:
        if name not in self._services:
            self._services[name] = ServiceState(name, self.owner, self.note, self.clock, found={})
        return self._services[name]

    def _list(self) -> None:
        """List the services at the start, from time to time, and when one is tried again.

        Their instances are read then.
        """
        now = self.clock()
        again = {s.name for s in self._services.values() if s.failures and not s.waits}
        is_old = self._read_at is None or now - self._read_at > READ_AGAIN_S
        if not again and not is_old:
            return
        listed = {found.name: found for found in self.cloud.services()}
        for name in {*listed, *self._services} if is_old else again:
            each = self._service(name)
            each.cloud, each.found = listed.get(name), None
        self._read_at = now if is_old else self._read_at

    def _settle(self, services: Iterable[ServiceState], *, once: bool = False) -> None:
        """Ask for what has ended, until all has, or for as long as the patience lasts."""
        until = self.clock() + self.patience_s
        while busy := [each for each in services if each.under_way]:
            self._each(busy, lambda each: each.settle(self.cloud))
            if once or self.clock() >= until or not any(each.under_way for each in busy):
                return
            self.pause(_SETTLE_EVERY_S)

    def _each(self, services: Iterable[ServiceState], work: Callable[[ServiceState], None]) -> None:
        """Do something with several services at the same time; what fails is kept with each."""

        def kept(each: ServiceState) -> None:
            try:
                work(each)
            except SwarmctlError as fault:
                each.failed(fault.message)

        with ThreadPoolExecutor(_PARALLEL) as pool:
            list(pool.map(kept, services))

    def _forget(self, wanted: Iterable[str]) -> None:
        """Drop what does not exist and nobody wants."""
        self._services = {
            name: each
            for name, each in self._services.items()
            if name in wanted or each.cloud or each.under_way or each.failures
        }

    def _raise(self) -> None:
        failing = [each for each in self._services.values() if each.failures]
        if failing:
            text = "; ".join(f"{each.name}: {each.error}" for each in failing)
            soonest = min(each.until for each in failing) - self.clock()
            raise PublishError(text, max(_SETTLE_EVERY_S, soonest))
