"""One move: add a replica, wait until it serves, remove one; in the end the number is as before.

Swarm does not say which replica it will remove, only from which nodes: clients leave those first.

The service's spec is sent back unchanged except for the number of replicas, with the version that
was read. During a move a signal only sets a flag. However the move ends, the number is put back
first, but not before Swarm can remove a replica and enough still serve.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.leaving import marked, service_mark
from swarmctl.errors import DeadlineExceededError, Exit, SwarmctlError
from swarmctl.moves.context import Context
from swarmctl.moves.withdraw import announce, withdraw
from swarmctl.reading.commands import word
from swarmctl.rebalance.removal import can_lose_one, nodes_to_lose_one
from swarmctl.swarm.engine import EngineError, Json, change_service
from swarmctl.swarm.model import Service, Swarm, Task
from swarmctl.swarm.ssh import ManagerError
from swarmctl.wait import wait_for

_GRACE = 10.0  # seconds that putting back has at least, an election included

Check = Callable[[Swarm, Service], tuple[bool | None, str]]


class NotPutBackError(SwarmctlError):
    """A service has one replica more than it should."""

    exit_code = Exit.REVERT_FAILED


class NotMovedError(SwarmctlError):
    """A move failed; the service has as many replicas as before."""


class Mover:
    """Moves replicas of one service.

    Args:
        context: see there.
        service: its name.
        id_: its id.
        wanted: its replicas, before and after each move.

    Attributes:
        fewest: the fewest replicas seen running.
    """

    def __init__(self, context: Context, service: str, id_: str, wanted: int) -> None:
        self._context = context
        self._name, self._id, self._wanted = service, id_, wanted
        self.fewest = wanted

    def move_one(self) -> None:
        """Add a replica and remove one; Swarm chooses both nodes.

        Raises:
            NotMovedError: it failed; the number is as before, or another client's.
            NotPutBackError: there is one replica too many; the hint has the command.
        """
        deadline = self._deadline()
        before = self._endpoints(self._context.engine.snapshot())
        try:
            self._scale(self._wanted + 1)
            self._wait(f"one more replica of {self._name} to run", self._one_more, deadline)
            if before:
                self._withdraw(before)
            deadline = self._deadline()
        except BaseException:  # also a signal: one replica too many must not stay
            self._put_back(deadline)
            self._context.note(f"{self._name}: back to {self._wanted} replicas")
            raise
        self._put_back(deadline)
        self._wait(f"{self._name} to be {self._wanted} again", self._settled, self._deadline())

    def _deadline(self) -> float:
        return self._context.clock.now() + self._context.timeout

    def _withdraw(self, before: set[str]) -> None:
        """Send clients to the new replica, and away from those of which Swarm removes one."""
        announce(self._context, lambda e: e.service == self._name and e.id not in before)
        swarm = self._context.engine.snapshot()
        if service := swarm.service_by_name(self._id):
            mark = service_mark(self._wanted + 1, nodes_to_lose_one(_counted(swarm, service)))
            change_service(self._context.engine, self._id, lambda spec: marked(spec, mark))
            withdraw(self._context)

    def _endpoints(self, swarm: Swarm) -> set[str]:
        return {e.id for e in catalogue(swarm).every if e.service == self._name}

    # --- changing ---

    def _scale(self, replicas: int) -> None:
        def change(spec: Json) -> Json:
            now = _replicas(spec)
            if now == replicas:
                return marked(spec, "")
            if now not in (self._wanted, self._wanted + 1):
                raise NotMovedError(f"another client has scaled it to {now} meanwhile")
            mode = {"Replicated": {**spec["Mode"]["Replicated"], "Replicas": replicas}}
            return {**marked(spec, ""), "Mode": mode}

        try:
            change_service(self._context.engine, self._id, change)
        except EngineError as fault:
            raise NotMovedError(f"Swarm refuses: {fault.message}") from fault

    def _put_back(self, deadline: float) -> None:
        """Scale back, as soon as Swarm cannot remove a replica that is needed."""
        self._context.interrupts.reverting()
        words = f"{self._name} has {self._wanted + 1} replicas instead of {self._wanted}"
        by_hand = f"on a manager: docker service scale --detach {word(self._name)}={self._wanted}"
        try:
            if self._changed_by_others():
                self._unmark()
                return
            deadline = max(deadline, self._context.clock.now() + _GRACE)
            self._wait(f"the new replica of {self._name} to run", self._can_lose_one, deadline)
            self._scale(self._wanted)
        except SwarmctlError as fault:
            if self._changed_by_others():
                self._unmark()
                return
            if isinstance(fault, DeadlineExceededError):
                raise NotPutBackError(
                    f"{words}; not scaled back, because Swarm would remove a replica that serves, "
                    f"not the new one ({fault.message})",
                    "let it start elsewhere: docker node update --availability pause NODE; once it "
                    f"runs, {by_hand}",
                ) from fault
            words = words.replace(" has ", " may have ", 1)
            raise NotPutBackError(f"{words}: {fault.message}", by_hand) from fault
        finally:
            self._context.interrupts.reverted()

    def _changed_by_others(self) -> bool:
        """Whether the extra replica is gone already; ``False`` while no manager answers."""
        try:
            there: Json = self._context.engine.get(f"/services/{self._id}")
            return _replicas(there["Spec"]) != self._wanted + 1
        except EngineError as fault:
            return fault.status == 404  # the service is gone
        except ManagerError:
            return False

    def _unmark(self) -> None:
        """Take the mark away, which would hold again at this number of replicas."""
        with suppress(SwarmctlError):  # gone, or no manager answers: it holds at no other number
            change_service(self._context.engine, self._id, lambda spec: marked(spec, ""))

    # --- waiting ---

    def _wait(self, what: str, check: Check, deadline: float) -> None:
        """Poll until the check holds; raises DeadlineExceededError."""
        context = self._context
        context.interrupts.doing = what

        def poll() -> tuple[bool | None, str]:
            context.interrupts.check()
            try:
                swarm = context.engine.snapshot()
            except ManagerError as fault:  # an election, for example
                return None, fault.message
            service = swarm.service_by_name(self._id)
            if service is None:
                raise NotMovedError("the service was removed meanwhile")
            self.fewest = min(self.fewest, swarm.running(service))
            return check(swarm, service)

        clock = context.clock
        left = round(max(0.0, deadline - clock.now()), 1)
        wait_for(what, poll, timeout=left, clock=clock.now, pause=clock.pause)

    def _one_more(self, swarm: Swarm, service: Service) -> tuple[bool | None, str]:
        if swarm.running(service) > self._wanted:
            return True, ""
        starting = [t for t in _counted(swarm, service) if t.state != "running"]
        unplaced = [t.error or t.message for t in starting if not t.node_id]
        if any("no suitable node" in error for error in unplaced):
            raise NotMovedError(f"no room for one more: {unplaced[0]}")
        return None, "; ".join(_words(swarm, task) for task in starting) or "no new task"

    def _can_lose_one(self, swarm: Swarm, service: Service) -> tuple[bool | None, str]:
        tasks = _counted(swarm, service)
        live = {node.id for node in swarm.nodes if node.live}
        if can_lose_one(tasks, live, self._wanted):
            return True, ""
        return None, "; ".join(_words(swarm, t) for t in tasks if t.state != "running")

    def _settled(self, swarm: Swarm, service: Service) -> tuple[bool | None, str]:
        tasks, running = len(_counted(swarm, service)), swarm.running(service)
        return (True if tasks == running == self._wanted else None), f"{running} run of {tasks}"


def _counted(swarm: Swarm, service: Service) -> list[Task]:
    """The tasks that Swarm compares with the wanted number."""
    return [t for t in swarm.tasks_of(service) if t.meant_to_run]


def _replicas(spec: Json) -> int:
    return int(spec["Mode"]["Replicated"].get("Replicas", 1))


def _words(swarm: Swarm, task: Task) -> str:
    node = swarm.node_by_id(task.node_id)
    where = f"on {node.hostname}" if node else "without a node"
    return f"{task.state} {where}" + (f": {task.error}" if task.error else "")
