"""instance-reboot: restart the EC2 instance; it comes back by itself."""

from __future__ import annotations

from collections.abc import Sequence

from swarmctl.chaos.fault.fault import FaultContext, UndoAction
from swarmctl.chaos.fault.instance_fault import REVERT_TIMEOUT_S, InstanceFault
from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.registry import fault
from swarmctl.chaos.journal.journal import TargetRecord, UndoStep
from swarmctl.errors import SwarmctlError

_CHECK_EVERY_S = 0.5

# A boot's id, and the start time of process 1: in a container only the second one changes.
_BOOT = "cat /proc/sys/kernel/random/boot_id; cut -d' ' -f22 /proc/1/stat"


@fault(
    Kind(
        "instance-reboot",
        summary="RebootInstances: the machine restarts",
        undo="the machine comes back by itself; the run waits for it",
        effect=Effect.RETURNS,
        past_tense="was rebooted",
    )
)
class InstanceReboot(InstanceFault):
    """RebootInstances: the system restarts; disk, address and instance stay."""

    api_call = "RebootInstances"
    undo_action = UndoAction.AWAIT_REBOOT

    def __init__(self, context: FaultContext) -> None:
        super().__init__(context)
        self._boot_before: dict[str, str] = {}
        self._rebooted: set[str] = set()
        self._next_check = 0.0

    def request(self, instance_id: str) -> None:
        """See :class:`InstanceFault`."""
        self.context.ec2.reboot(instance_id)

    def refusal(self, targets: Sequence[TargetRecord]) -> str:
        """A node must be able to distinguish one boot from the next."""
        for target in targets:
            try:
                self._boot_before[target.node] = self._boot(target.node)
            except SwarmctlError as error:
                return f"{target.node} does not report when it booted: {error.message}"
        return ""

    def describe(self, target: TargetRecord) -> str:
        """See :class:`Fault`."""
        return f"reboot {target.node} ({target.instance_id}); it comes back by itself"

    def watch(self, targets: Sequence[TargetRecord]) -> None:
        """Mark when each target has rebooted."""
        if self.context.clock.now() < self._next_check:
            return
        self._next_check = self.context.clock.now() + _CHECK_EVERY_S
        super().watch(targets)
        for target in targets:
            if target.node in self._rebooted or not self.context.shell.reachable(target.node):
                continue
            try:
                boot = self._boot(target.node)
            except SwarmctlError:
                continue  # on its way down or up
            if boot != self._boot_before.get(target.node):
                self._rebooted.add(target.node)
                self.context.mark("rebooted", f"{target.node} has rebooted")

    def took_effect(self) -> bool:
        """Whether all targets have rebooted."""
        return bool(self._boot_before) and self._rebooted >= self._boot_before.keys()

    def revert(self, steps: Sequence[UndoStep]) -> None:
        """Wait until every machine runs and answers; start one that stays down."""

        def missing() -> tuple[bool | None, str]:
            found = ", ".join(filter(None, map(self._missing, steps)))
            self.context.status(f"the reboot to end: {found or 'done'}")
            return (None if found else True), found

        names = ", ".join(step.node for step in steps)
        self.context.wait_for(f"{names} to be up again", missing, REVERT_TIMEOUT_S)

    def _missing(self, step: UndoStep) -> str:
        try:
            if self.gone(step):
                return ""
            state = self.context.ec2.state(step.instance_id)
            if state == "stopped":
                self.context.ec2.start(step.instance_id)
        except SwarmctlError as error:
            state = error.message
        if state != "running":
            return f"{step.node} is {state}"
        return "" if self.context.shell.reachable(step.node) else f"{step.node} does not answer"

    def _boot(self, node: str) -> str:
        return self.context.shell.run(node, _BOOT, 5.0)
