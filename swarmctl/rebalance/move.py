"""One move: one replica more, wait until it runs, one less; and always back to N.

What is sent is the service's spec as it is, but for the number of replicas, with the version that
was read. During a move a signal only sets a flag, and whatever ends it, the number is put back
before anything else happens: but not before Swarm can take one away and N still serve.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from swarmctl.errors import DeadlineExceededError, Exit, SwarmctlError
from swarmctl.rebalance.removal import keeps_enough, meant_to_run
from swarmctl.swarm.engine import Engine, EngineError, Json
from swarmctl.swarm.model import Service, Swarm, Task
from swarmctl.swarm.ssh import ManagerError
from swarmctl.wait import wait_for

_TRIES = 5
_GRACE = 10.0  # seconds that putting back has at least, an election included

See = Callable[[Swarm, Service], tuple[bool | None, str]]


class NotPutBackError(SwarmctlError):
    """A service has one replica more than it should."""

    exit_code = Exit.REVERT_FAILED


class NotMovedError(SwarmctlError):
    """A move did not work; the service has as many replicas as before."""


class Signals(Protocol):
    """Ctrl-C and the like, obeyed only where that is safe (swarmctl.chaos.run.interrupts)."""

    doing: str

    def check(self) -> None:
        """Raise if somebody wants an end and nothing is being put back."""

    def reverting(self) -> None:
        """From now on nothing is given up."""

    def reverted(self) -> None:
        """It is put back."""


@dataclass(frozen=True, slots=True)
class Means:
    """What moves are made with.

    Args:
        engine: the Swarm; should outlast an election (swarmctl.swarm.patience).
        signals: looked at between two requests.
        timeout: seconds a new replica has to run, and one to go.
        say: told of each move.
        clock: monotonic seconds; replaced in tests.
        pause: replaced in tests.
    """

    engine: Engine
    signals: Signals
    timeout: float = 120.0
    say: Callable[[str], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


class Move:
    """One replica more, and one less.

    Args:
        means: see there.
        service: its name.
        id_: its id.
        wanted: its replicas, before and after.

    Attributes:
        least: the fewest replicas that were seen running.
    """

    def __init__(self, means: Means, service: str, id_: str, wanted: int) -> None:
        self._means = means
        self._name, self._id, self._wanted = service, id_, wanted
        self.least = wanted

    def carry_out(self) -> None:
        """Do it.

        Raises:
            NotMovedError: it did not work; the number is what it was, or somebody else's.
            NotPutBackError: there is one replica too many; says what to type.
        """
        deadline = self._means.clock() + self._means.timeout
        try:
            self._scale(self._wanted + 1)
            self._wait(f"one more replica of {self._name} to run", self._one_more, deadline)
        except BaseException:  # also a signal: nothing may leave one replica too many behind
            self._put_back(deadline)
            self._means.say(f"{self._name}: back to {self._wanted} replicas")
            raise
        self._put_back(deadline)
        deadline = self._means.clock() + self._means.timeout
        self._wait(f"{self._name} to be {self._wanted} again", self._settled, deadline)

    # --- changing ---

    def _scale(self, replicas: int) -> None:
        for _ in range(_TRIES):
            there = self._read()
            spec, now = there["Spec"], _replicas(there)
            if now == replicas:
                return
            if now not in (self._wanted, self._wanted + 1):
                raise NotMovedError(f"somebody has scaled it to {now} meanwhile")
            mode = {"Replicated": {**spec["Mode"]["Replicated"], "Replicas": replicas}}
            version = {"version": str(there["Version"]["Index"])}
            path = f"/services/{self._id}/update"
            try:
                self._means.engine.send("POST", path, {**spec, "Mode": mode}, params=version)
            except EngineError as fault:
                # Somebody was faster, or an election hid that it is done: the next look tells.
                if "out of sequence" not in fault.message:
                    raise NotMovedError(f"Swarm refuses: {fault.message}") from fault
            else:
                return
        raise NotMovedError("somebody goes on changing it")

    def _put_back(self, deadline: float) -> None:
        """Back to the number of before, once Swarm cannot take away one that is needed."""
        self._means.signals.reverting()
        words = f"{self._name} has {self._wanted + 1} replicas instead of {self._wanted}"
        by_hand = f"on a manager: docker service scale --detach {self._name}={self._wanted}"
        try:
            if self._changed_by_others():
                return
            deadline = max(deadline, self._means.clock() + _GRACE)
            self._wait(f"the new replica of {self._name} to run", self._harmless, deadline)
            self._scale(self._wanted)
        except DeadlineExceededError as fault:
            raise NotPutBackError(
                f"{words}, and they stay: Swarm would take away one that serves, not the new one "
                f"({fault.message})",
                "let it start elsewhere: docker node update --availability pause NODE; once it "
                f"runs, {by_hand}",
            ) from fault
        except SwarmctlError as fault:
            if not self._changed_by_others():
                words = words.replace(" has ", " may have ", 1)
                raise NotPutBackError(f"{words}: {fault.message}", by_hand) from fault
        finally:
            self._means.signals.reverted()

    def _changed_by_others(self) -> bool:
        """Whether there is nothing of ours to put back; not while no manager answers."""
        try:
            return _replicas(self._read()) != self._wanted + 1
        except NotMovedError:
            return True
        except ManagerError:
            return False

    def _read(self) -> Json:
        try:
            found: Json = self._means.engine.get(f"/services/{self._id}")
        except EngineError as fault:
            raise NotMovedError(f"it cannot be read any more: {fault.message}") from fault
        return found

    # --- looking ---

    def _wait(self, what: str, see: See, deadline: float) -> None:
        """Wait; what does not come in time is a DeadlineExceededError."""
        means = self._means
        means.signals.doing = what

        def look() -> tuple[bool | None, str]:
            means.signals.check()
            try:
                swarm = means.engine.snapshot()
            except ManagerError as fault:  # an election, for example
                return None, fault.message
            service = swarm.service_by_name(self._id)
            if service is None:
                raise NotMovedError("it was removed meanwhile")
            self.least = min(self.least, swarm.running(service))
            return see(swarm, service)

        left = max(0.0, deadline - means.clock())
        wait_for(what, look, timeout=round(left, 1), clock=means.clock, pause=means.pause)

    def _one_more(self, swarm: Swarm, service: Service) -> tuple[bool | None, str]:
        if swarm.running(service) > self._wanted:
            return True, ""
        starting = [t for t in meant_to_run(swarm, service) if t.state != "running"]
        homeless = [t.error or t.message for t in starting if not t.node_id]
        if any("no suitable node" in words for words in homeless):
            raise NotMovedError(f"there is no room any more: {homeless[0]}")
        return None, "; ".join(_words(swarm, task) for task in starting) or "nothing new"

    def _harmless(self, swarm: Swarm, service: Service) -> tuple[bool | None, str]:
        tasks = meant_to_run(swarm, service)
        live = {node.id for node in swarm.nodes if node.live}
        if keeps_enough(tasks, live, self._wanted):
            return True, ""
        return None, "; ".join(_words(swarm, t) for t in tasks if t.state != "running")

    def _settled(self, swarm: Swarm, service: Service) -> tuple[bool | None, str]:
        tasks, running = len(meant_to_run(swarm, service)), swarm.running(service)
        return (True if tasks == running == self._wanted else None), f"{running} run of {tasks}"


def _replicas(service: Json) -> int:
    return int(service["Spec"]["Mode"]["Replicated"].get("Replicas", 1))


def _words(swarm: Swarm, task: Task) -> str:
    node = swarm.node_by_id(task.node_id)
    where = f"on {node.hostname}" if node else "on no node yet"
    return f"{task.state} {where}" + (f": {task.error}" if task.error else "")
