"""Stop the EC2 instances under the nodes, as a person in the console would; undo: start them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from swarmctl.chaos.faults.base import NodeWatch, Setting, step_per_node
from swarmctl.chaos.journal.journal import TargetRecord, UndoStep
from swarmctl.errors import SwarmctlError
from swarmctl.wait import wait_for

START = "start-instance"

# AWS gives a machine some minutes to shut down before it is switched off, and may be short of
# capacity for a moment when it is to start again.
REVERT_TIMEOUT_S = 900.0
_START_AGAIN_S = 5.0
# After an error nobody knows whether StopInstances arrived; its effect shows within this time.
SETTLE_S = 5.0
_WATCH_EVERY_S = 1.0


@dataclass
class InstanceStop:
    """StopInstances: the machine goes, clean or with ``force``; its disk and address stay."""

    setting: Setting
    _sent: bool = False
    _accepted: bool = False
    _states: dict[str, str] = field(default_factory=dict)
    _next_watch: float = 0.0
    _alive: NodeWatch = field(init=False)

    def __post_init__(self) -> None:
        self._alive = NodeWatch(self.setting)

    def refusal(self, targets: Sequence[TargetRecord]) -> str:
        """See :class:`Fault`; EC2 stops whatever the guards let it stop."""
        del targets
        return ""

    def settled(self) -> bool:
        """See :class:`Fault`; the managers calling the node Down is sign enough."""
        return True

    def describe(self, target: TargetRecord) -> str:
        """What will happen to this target."""
        how = "pull the plug of" if self.setting.options.force else "stop"
        return f"{how} {target.node} ({target.instance_id}); undo: start it and await Ready"

    def plan(self, targets: Sequence[TargetRecord]) -> tuple[UndoStep, ...]:
        """Every instance is to be started again."""
        return step_per_node(
            targets,
            START,
            lambda target: f"aws ec2 start-instances --instance-ids {target.instance_id}",
        )

    def inject(self, targets: Sequence[TargetRecord]) -> None:
        """Ask EC2 to stop them, one after the other."""
        self._sent = True
        for target in targets:
            self.setting.check()
            self.setting.ec2.stop(target.instance_id, self.setting.options.force)
            self.setting.mark("stop-accepted", f"StopInstances accepted for {target.node}")
        self._accepted = True

    def watch(self, targets: Sequence[TargetRecord]) -> None:
        """Note when EC2 says that they are stopped. The API being slow or busy is no news."""
        self._alive.look(targets)
        if self.setting.clock.now() < self._next_watch:
            return
        self._next_watch = self.setting.clock.now() + _WATCH_EVERY_S
        for target in targets:
            if self._states.get(target.instance_id) == "stopped":
                continue
            try:
                state = self.setting.ec2.state(target.instance_id)
            except SwarmctlError:
                return
            if state == "stopped":
                self.setting.mark("instance-stopped", f"EC2 says {target.node} is stopped")
            self._states[target.instance_id] = state

    def revert(self, steps: Sequence[UndoStep]) -> None:
        """Bring every instance to ``running``, whatever state it is in now."""
        if self._sent and not self._accepted:
            self._settle(steps)
        start = _Starts(self.setting, steps)
        wait_for(
            ", ".join(f"{step.node} ({step.instance_id})" for step in steps) + " to be running",
            start.look,
            timeout=REVERT_TIMEOUT_S,
            interval=0.5,
            clock=self.setting.clock.now,
            pause=self.setting.clock.pause,
        )
        if start.lost:
            raise SwarmctlError(
                f"can't be started: {', '.join(start.lost)}",
                "replace the node: ansible-playbook playbooks/site.yml",
            )

    def _settle(self, steps: Sequence[UndoStep]) -> None:
        """A stop that ended in an error may still come; look again before believing `running`."""
        until = self.setting.clock.now() + SETTLE_S
        self.setting.status("whether EC2 carried out the stop that ended in an error")
        while self.setting.clock.now() < until:
            try:
                states = {self.setting.ec2.state(step.instance_id) for step in steps}
            except SwarmctlError:
                states = {"running"}  # not known: keep looking
            if states != {"running"}:
                return
            self.setting.clock.pause(0.5)


@dataclass
class _Starts:
    """Brings several instances up side by side; one that can't be must not keep the others down."""

    setting: Setting
    steps: Sequence[UndoStep]
    lost: list[str] = field(default_factory=list)
    _done: set[str] = field(default_factory=set)
    _not_before: dict[str, float] = field(default_factory=dict)

    def look(self) -> tuple[bool | None, str]:
        """One round; true when there is nothing left to wait for."""
        seen = [
            f"{step.node} {self._advance(step)}"
            for step in self.steps
            if step.instance_id not in self._done
        ]
        self.setting.status(f"EC2 to have the machines running: {', '.join(seen) or 'done'}")
        return (True if len(self._done) == len(self.steps) else None), ", ".join(seen)

    def _advance(self, step: UndoStep) -> str:
        try:
            state = self.setting.ec2.state(step.instance_id)
            # One that is still stopping can't be started: EC2 answers IncorrectInstanceState.
            if state == "stopped" and self._may_start(step):
                self.setting.ec2.start(step.instance_id)
                self.setting.mark("start-accepted", f"StartInstances accepted for {step.node}")
        except SwarmctlError as error:  # a busy or unreachable API: the next round asks again
            return error.message
        if state == "running":
            self.setting.mark("instance-running", f"EC2 says {step.node} is running")
            self._done.add(step.instance_id)
        elif state in ("shutting-down", "terminated", ""):
            self.lost.append(f"{step.node} ({step.instance_id}) is {state or 'gone'}")
            self._done.add(step.instance_id)
        return state

    def _may_start(self, step: UndoStep) -> bool:
        now = self.setting.clock.now()
        if now < self._not_before.get(step.instance_id, 0.0):
            return False
        self._not_before[step.instance_id] = now + _START_AGAIN_S
        return True
