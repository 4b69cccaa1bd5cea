"""Terminate the EC2 instances under the nodes; undo: a playbook makes new machines."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field

from swarmctl.chaos.faults.base import NodeWatch, Setting, step_per_node
from swarmctl.chaos.journal.journal import TargetRecord, UndoStep
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.engine import EngineError

REPLACE = "replace-instance"
# A whole run of site.yml, with machines that boot.
REPLACE_TIMEOUT_S = 1800.0


@dataclass
class InstanceTerminate:
    """TerminateInstances: machine, disk and address are gone for good."""

    setting: Setting
    _alive: NodeWatch = field(init=False)

    def __post_init__(self) -> None:
        self._alive = NodeWatch(self.setting)

    def refusal(self, targets: Sequence[TargetRecord]) -> str:
        """See :class:`Fault`."""
        del targets
        return ""

    def settled(self) -> bool:
        """See :class:`Fault`."""
        return True

    def describe(self, target: TargetRecord) -> str:
        """What will happen to this target."""
        return (
            f"terminate {target.node} ({target.instance_id}) for good, with its disk; "
            f"undo: a new machine, made by `{self.setting.options.replace_with}`"
        )

    def plan(self, targets: Sequence[TargetRecord]) -> tuple[UndoStep, ...]:
        """Every node is to be made anew, and its dead entry in the Swarm removed."""
        return step_per_node(
            targets,
            REPLACE,
            lambda target: f"{self.setting.options.replace_with}; docker node rm {target.node_id}",
        )

    def inject(self, targets: Sequence[TargetRecord]) -> None:
        """Ask EC2 to end them, one after the other."""
        for target in targets:
            self.setting.check()
            self.setting.ec2.terminate(target.instance_id)
            self.setting.mark("stop-accepted", f"TerminateInstances accepted for {target.node}")

    def watch(self, targets: Sequence[TargetRecord]) -> None:
        """See :class:`Fault`."""
        self._alive.look(targets)

    def revert(self, steps: Sequence[UndoStep]) -> None:
        """Run the playbook if a machine is gone, then remove the entries of those that are."""
        gone = [step for step in steps if self._is_gone(step)]
        if not gone:
            return
        self._replace(gone)
        for step in gone:
            self._forget(step)

    def _is_gone(self, step: UndoStep) -> bool:
        return self.setting.ec2.state(step.instance_id) in ("shutting-down", "terminated", "")

    def _replace(self, gone: Sequence[UndoStep]) -> None:
        command = self.setting.options.replace_with
        names = ", ".join(step.node for step in gone)
        self.setting.status(f"`{command}` to make {names} anew")
        try:
            done = subprocess.run(
                shlex.split(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=REPLACE_TIMEOUT_S,
                check=False,
                # Ctrl-C is for swarmctl, which answers it; the playbook must run to its end.
                start_new_session=True,
            )
        except FileNotFoundError as fault:
            raise SwarmctlError(
                f"cannot run `{command}`: {fault.filename} was not found",
                "run it from the project's directory, or give --replace-with",
            ) from fault
        except subprocess.TimeoutExpired as fault:
            raise SwarmctlError(
                f"`{command}` did not end within {REPLACE_TIMEOUT_S:g} s"
            ) from fault
        if done.returncode != 0:
            end = "\n".join(done.stdout.splitlines()[-15:])
            raise SwarmctlError(f"`{command}` ended with {done.returncode}:\n{end}")
        self.setting.mark("replaced", f"{names} made anew by {shlex.split(command)[0]}")

    def _forget(self, step: UndoStep) -> None:
        """The dead node stays listed until it is removed, and keeps the addresses of its tasks."""
        try:
            self.setting.engine.send(
                "DELETE", f"/nodes/{step.node_id}", params={"force": "true"}, repeat=True
            )
        except EngineError as fault:
            if fault.status != 404:
                raise
