"""One service of Cloud Map: what is in it, and what was begun and has not ended."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from swarmctl.cloud.cloud_map import CloudMap, CloudService, OperationFailedError
from swarmctl.discovery.listeners.cloud_map.records import as_record, record_types
from swarmctl.discovery.listeners.listener import backoff
from swarmctl.discovery.reconcile import Changes, Record, changes
from swarmctl.errors import SwarmctlError

# An operation takes seconds; one that has not ended after so long is given up and done anew.
OPERATION_S = 60.0
# So many changes refused in a row, and the others of the service are left for the next time.
_REFUSED_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class Operation:
    """A change that AWS is making.

    Attributes:
        id: AWS's.
        record: that it registers; ``None`` if it deregisters.
        begun: when.
    """

    id: str
    record: Record | None
    begun: float


@dataclass
class ServiceState:
    """What is known of a service.

    An instance whose last operation has not ended is left alone: its id must not be used again
    before. What an operation came to is known only when it has succeeded; else it is read.

    Attributes:
        name: of the service.
        cloud: the service; ``None`` while there is none.
        found: its instances by id; ``None``: to be read.
        under_way: operations by the instance's id.
        failures: in a row.
        until: when it is tried again after a failure.
        error: of the last failure.
    """

    name: str
    owner: str
    note: Callable[[str], None]
    clock: Callable[[], float]
    cloud: CloudService | None = None
    found: dict[str, Record] | None = None
    under_way: dict[str, Operation] = field(default_factory=dict)
    failures: int = 0
    until: float = 0.0
    error: str = ""

    @property
    def waits(self) -> bool:
        """Whether it failed and is not to be tried again yet."""
        return bool(self.failures) and self.until > self.clock()

    def todo(self, wanted: Sequence[Record], kept: Collection[str] = ()) -> Changes:
        """The least changes, without those of instances that are being changed.

        Args:
            wanted: what should be in it.
            kept: ids of what serves at a port that is not known: stays as it is.
        """
        found = (self.found or {}).values()
        every = changes(wanted, found, self.owner)
        return replace(
            every,
            register=tuple(r for r in every.register if r.id not in self.under_way),
            deregister=tuple(r for r in every.deregister if r.id not in {*self.under_way, *kept}),
        )

    def read(self, api: CloudMap) -> None:
        """Read the instances, if they are not known."""
        if self.found is None:
            instances = api.instances(self.cloud) if self.cloud else ()
            self.found = {each.id: as_record(self.name, each) for each in instances}

    def begin(self, api: CloudMap, wanted: Sequence[Record], kept: Collection[str] = ()) -> None:
        """Begin what is to be changed: register first, so that a name is never empty between.

        Args:
            api: of the namespace.
            wanted: see :meth:`todo`.
            kept: see :meth:`todo`.

        Raises:
            SwarmctlError: not all of it could be begun.
        """
        self.read(api)
        todo = self.todo(wanted, kept)
        if todo.register and self.cloud is None:
            kinds = record_types(self.name, todo.register)
            self.note(f"+ service {self.name} ({', '.join(kinds)})")
            self.cloud = api.create(self.name, kinds, self.owner)
        refused: list[str] = []
        in_a_row = 0
        for record, registers in (
            *((each, True) for each in todo.register),
            *((each, False) for each in todo.deregister),
        ):
            self.note(f"{'+' if registers else '-'} {self.name} {record.id}")
            try:
                self._begin_one(api, record, registers=registers)
                in_a_row = 0
            except SwarmctlError as fault:
                refused.append(fault.message)
                in_a_row += 1
            if in_a_row == _REFUSED_IN_A_ROW:
                break
        refused += (f"{r.id}: registered by another owner" for r in todo.conflicts)
        if refused:
            raise SwarmctlError("; ".join(dict.fromkeys(refused)))

    def _begin_one(self, api: CloudMap, record: Record, *, registers: bool) -> None:
        assert self.cloud is not None
        if registers:
            operation = api.register(self.cloud, record.id, dict(record.value))
        else:
            operation = api.deregister(self.cloud, record.id)
        owned = replace(record, owner=self.owner) if registers else None
        self.under_way[record.id] = Operation(operation, owned, self.clock())

    def settle(self, api: CloudMap) -> None:
        """Take note of the operations that have ended, as far as the first that has not.

        Raises:
            SwarmctlError: one failed, does not end, or AWS does not say.
        """
        for id_, operation in tuple(self.under_way.items()):
            try:
                ended = api.ended(operation.id)
            except OperationFailedError:
                del self.under_way[id_]
                raise
            except SwarmctlError:
                self._give_up_old()
                raise
            if not ended and not self._is_old(operation):
                return
            del self.under_way[id_]
            if not ended:
                raise SwarmctlError(f"{id_}: no end of its operation after {OPERATION_S:g} s")
            if self.found is not None and operation.record is not None:
                self.found[id_] = operation.record
            elif self.found is not None:
                self.found.pop(id_, None)

    def _is_old(self, operation: Operation) -> bool:
        return self.clock() - operation.begun >= OPERATION_S

    def _give_up_old(self) -> None:
        """AWS may never say how they ended: it forgets operations, and a policy may forbid it."""
        self.under_way = {i: each for i, each in self.under_way.items() if not self._is_old(each)}

    def remove_if_empty(self, api: CloudMap) -> None:
        """Remove the service if nothing is in it and it is ours."""
        if self.cloud is None or self.found != {} or self.under_way:
            return
        if api.owner(self.cloud) == self.owner:
            self.note(f"- service {self.name}")
            api.delete(self.cloud)
        self.cloud = None  # another owner's: not asked for until all is read anew

    def failed(self, error: str) -> None:
        """What is there is not known; try again later."""
        self.failures += 1
        if self.failures == 1:
            self.note(f"! {self.name}: {error}; trying again")
        self.error, self.found = error, None
        self.until = self.clock() + backoff(self.failures)

    def succeeded(self) -> None:
        """Everything is as it is wanted."""
        if self.failures:
            self.note(f"{self.name}: works again")
        self.failures, self.error = 0, ""
