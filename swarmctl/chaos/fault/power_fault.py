"""Stopping the EC2 instances under the nodes, and starting them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from swarmctl.chaos.fault.fault import GONE, FaultContext, UndoAction
from swarmctl.chaos.fault.instance_fault import REVERT_TIMEOUT_S, InstanceFault
from swarmctl.chaos.journal.journal import TargetRecord, UndoStep
from swarmctl.errors import SwarmctlError

STARTED_AGAIN = "StartInstances; the Engine rejoins the Swarm by itself"

_START_AGAIN_S = 5.0
_STATE_EVERY_S = 1.0


class PowerFault(InstanceFault):
    """StopInstances: the machine goes down; its disk and its address stay."""

    api_call = "StopInstances"
    undo_action = UndoAction.START_INSTANCE

    def __init__(self, context: FaultContext) -> None:
        super().__init__(context)
        self._stopping: set[str] = set()
        self._stopped: set[str] = set()
        self._up_again: set[str] = set()
        self._next_check = 0.0

    @property
    def force(self) -> bool:
        """Whether the power is cut instead of a clean shutdown."""
        return True

    def request(self, instance_id: str) -> None:
        """See :class:`InstanceFault`."""
        self.context.ec2.stop(instance_id, self.force)

    def describe(self, target: TargetRecord) -> str:
        """See :class:`Fault`."""
        how = "power off" if self.force else "stop"
        return f"{how} {target.node} ({target.instance_id}); undo: start it and wait until Ready"

    def watch(self, targets: Sequence[TargetRecord]) -> None:
        """Mark when EC2 reports them stopped, or running again though the run did not start them.

        Errors of a slow or busy API are ignored.
        """
        super().watch(targets)
        if self.context.clock.now() < self._next_check:
            return
        self._next_check = self.context.clock.now() + _STATE_EVERY_S
        for target in targets:
            try:
                state = self.context.ec2.state(target.instance_id)
            except SwarmctlError:
                return
            self._note_state(target, state)

    def _note_state(self, target: TargetRecord, state: str) -> None:
        if state in ("stopping", "stopped"):
            self._stopping.add(target.instance_id)
            self._up_again.discard(target.instance_id)
        elif target.instance_id in self._up_again:
            self.note_end(f"{target.node} was started by someone else (EC2: {state})")
        elif state in ("pending", "running") and target.instance_id in self._stopping:
            self._up_again.add(target.instance_id)  # a single answer may be an old one
        if state == "stopped" and target.instance_id not in self._stopped:
            self._stopped.add(target.instance_id)
            self.context.mark("instance-stopped", f"EC2 reports {target.node} stopped")

    def revert(self, steps: Sequence[UndoStep]) -> None:
        """Bring every instance to ``running``, whatever state it is in now."""
        self.await_late_request(steps)
        start = _Start(self, steps)
        names = ", ".join(f"{step.node} ({step.instance_id})" for step in steps)
        self.context.wait_for(f"{names} to be running", start.advance, REVERT_TIMEOUT_S)


@dataclass
class _Start:
    """Starts instances side by side; one that can't start does not keep the others down."""

    fault: PowerFault
    steps: Sequence[UndoStep]
    _done: set[str] = field(default_factory=set)
    _not_before: dict[str, float] = field(default_factory=dict)

    def advance(self) -> tuple[bool | None, str]:
        """One round of requests; true when there is nothing left to wait for."""
        states = ", ".join(
            f"{step.node} {self._advance(step)}"
            for step in self.steps
            if step.instance_id not in self._done
        )
        self.fault.context.status(f"EC2 to have the machines running: {states or 'done'}")
        return (True if len(self._done) == len(self.steps) else None), states

    def _advance(self, step: UndoStep) -> str:
        try:
            state = self.fault.context.ec2.state(step.instance_id)
            # An instance that is still stopping can't be started: IncorrectInstanceState.
            if state == "stopped" and self._may_start(step):
                self.fault.context.ec2.start(step.instance_id)
                self.fault.context.mark(
                    "start-accepted", f"StartInstances accepted for {step.node}"
                )
        except SwarmctlError as error:  # a busy or unreachable API: the next round asks again
            return error.message
        if state == "running":
            self.fault.context.mark("instance-running", f"EC2 reports {step.node} running")
            self._done.add(step.instance_id)
        elif state in GONE and self.fault.gone(step):
            self._done.add(step.instance_id)
        return state

    def _may_start(self, step: UndoStep) -> bool:
        now = self.fault.context.clock.now()
        if now < self._not_before.get(step.instance_id, 0.0):
            return False
        self._not_before[step.instance_id] = now + _START_AGAIN_S
        return True
