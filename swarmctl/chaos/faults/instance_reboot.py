"""Reboot the EC2 instances under the nodes; they come back by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from swarmctl.chaos.faults.base import NodeWatch, Setting, step_per_node
from swarmctl.chaos.journal.journal import TargetRecord, UndoStep
from swarmctl.errors import SwarmctlError
from swarmctl.wait import wait_for

AWAIT = "await-reboot"
REVERT_TIMEOUT_S = 900.0
_LOOK_EVERY_S = 0.5

# A boot's id, and when process 1 began: in a container only the second one changes.
_BOOT = "cat /proc/sys/kernel/random/boot_id; cut -d' ' -f22 /proc/1/stat"


@dataclass
class InstanceReboot:
    """RebootInstances: the system restarts; disk, address and instance stay."""

    setting: Setting
    _before: dict[str, str] = field(default_factory=dict)
    _back: set[str] = field(default_factory=set)
    _next_look: float = 0.0
    _alive: NodeWatch = field(init=False)

    def __post_init__(self) -> None:
        self._alive = NodeWatch(self.setting)

    def refusal(self, targets: Sequence[TargetRecord]) -> str:
        """The node must be able to tell one boot from the next."""
        for target in targets:
            try:
                self._before[target.node] = self._boot(target.node)
            except SwarmctlError as fault:
                return f"{target.node} does not tell when it booted: {fault.message}"
        return ""

    def describe(self, target: TargetRecord) -> str:
        """What will happen to this target."""
        return f"reboot {target.node} ({target.instance_id}); it comes back by itself"

    def plan(self, targets: Sequence[TargetRecord]) -> tuple[UndoStep, ...]:
        """Nothing to do but to wait, and to start a machine that stays down."""
        return step_per_node(
            targets,
            AWAIT,
            lambda target: f"aws ec2 start-instances --instance-ids {target.instance_id}",
        )

    def inject(self, targets: Sequence[TargetRecord]) -> None:
        """Ask EC2 to reboot them, one after the other."""
        for target in targets:
            self.setting.check()
            self.setting.ec2.reboot(target.instance_id)
            self.setting.mark("stop-accepted", f"RebootInstances accepted for {target.node}")

    def watch(self, targets: Sequence[TargetRecord]) -> None:
        """Note when each of them has booted anew."""
        if self.setting.clock.now() < self._next_look:
            return
        self._next_look = self.setting.clock.now() + _LOOK_EVERY_S
        self._alive.look(targets)
        for target in targets:
            if target.node in self._back or not self.setting.shell.reachable(target.node):
                continue
            try:
                boot = self._boot(target.node)
            except SwarmctlError:
                continue  # on its way down or up
            if boot != self._before.get(target.node):
                self._back.add(target.node)
                self.setting.mark("rebooted", f"{target.node} has booted anew")

    def settled(self) -> bool:
        """Whether all of them have booted anew."""
        return bool(self._before) and self._back >= self._before.keys()

    def revert(self, steps: Sequence[UndoStep]) -> None:
        """Wait until every machine runs and answers."""

        def look() -> tuple[bool | None, str]:
            missing = []
            for step in steps:
                try:
                    state = self.setting.ec2.state(step.instance_id)
                    if state == "stopped":
                        self.setting.ec2.start(step.instance_id)
                except SwarmctlError as fault:
                    state = fault.message
                if state != "running":
                    missing.append(f"{step.node} is {state}")
                elif not self.setting.shell.reachable(step.node):
                    missing.append(f"{step.node} does not answer")
            self.setting.status(f"the reboot to end: {', '.join(missing) or 'done'}")
            return (None if missing else True), ", ".join(missing)

        wait_for(
            f"{', '.join(step.node for step in steps)} to be up again",
            look,
            timeout=REVERT_TIMEOUT_S,
            interval=0.5,
            clock=self.setting.clock.now,
            pause=self.setting.clock.pause,
        )

    def _boot(self, node: str) -> str:
        return self.setting.shell.run(node, _BOOT, 5.0)
