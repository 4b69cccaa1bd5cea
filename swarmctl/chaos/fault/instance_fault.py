"""Faults of the EC2 instance under a node."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from swarmctl.chaos.fault.fault import Fault, FaultContext
from swarmctl.chaos.journal.journal import TargetRecord, UndoStep
from swarmctl.errors import SwarmctlError
from swarmctl.reading.commands import word

# AWS gives a machine some minutes to shut down before it powers it off, and may lack the capacity
# to start it again at once.
REVERT_TIMEOUT_S = 900.0
# Without an answer it is unknown whether a request arrived; its effect shows within this time.
SETTLE_S = 5.0


class InstanceFault(Fault):
    """One EC2 request a target; marks when each target stops answering."""

    api_call: ClassVar[str]

    def __init__(self, context: FaultContext) -> None:
        super().__init__(context)
        self._hit: set[str] = set()
        self._unreachable: set[str] = set()
        self._sent = self._accepted = False

    @abstractmethod
    def request(self, instance_id: str) -> None:
        """Send the request; return once EC2 has accepted it."""

    def undo_by_hand(self, target: TargetRecord) -> str:
        """See :class:`Fault`."""
        return f"aws ec2 start-instances --instance-ids {word(target.instance_id)}"

    def inject(self, targets: Sequence[TargetRecord]) -> None:
        """Send the requests, one after the other."""
        self._sent = True
        for target in targets:
            self.context.check()
            self._hit.add(target.node)
            self.request(target.instance_id)
            self.context.mark("stop-accepted", f"{self.api_call} accepted for {target.node}")
        self._accepted = True

    def await_late_request(self, steps: Sequence[UndoStep]) -> None:
        """Do not trust ``running`` at once: a request that nobody saw answered may still arrive."""
        if self._accepted or not (self._sent or self.begun_elsewhere):
            return
        until = self.context.clock.now() + SETTLE_S
        self.context.status(f"EC2 to show whether {self.api_call} has arrived")
        while self.context.clock.now() < until:
            try:
                states = {self.context.ec2.state(step.instance_id) for step in steps}
            except SwarmctlError:
                states = {"running"}  # unknown: keep polling
            if states != {"running"}:
                return
            self.context.clock.pause(0.5)

    def took_effect(self) -> bool:
        """Whether every machine has stopped answering."""
        return bool(self._hit) and self._unreachable >= self._hit

    def watch(self, targets: Sequence[TargetRecord]) -> None:
        """Try the SSH port of each target that has answered so far."""
        for target in targets:
            asked_at = self.context.clock.now()
            if target.node in self._unreachable or self.context.shell.reachable(target.node):
                continue
            self._unreachable.add(target.node)
            text = f"{target.node} does not answer any more"
            self.context.mark("unreachable", text, asked_at, silenced=target.node)
