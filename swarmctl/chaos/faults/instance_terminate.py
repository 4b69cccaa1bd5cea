"""instance-terminate: terminate the EC2 instance; a playbook makes a new machine."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence

from swarmctl.chaos.fault.fault import GONE, UndoAction
from swarmctl.chaos.fault.instance_fault import InstanceFault
from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.registry import fault
from swarmctl.chaos.journal.journal import TargetRecord, UndoStep
from swarmctl.errors import SwarmctlError
from swarmctl.reading.commands import word
from swarmctl.swarm.engine import EngineError

# A whole run of site.yml, with machines that boot.
REPLACE_TIMEOUT_S = 1800.0
_SHOWN_LINES = 15


@fault(
    Kind(
        "instance-terminate",
        summary="TerminateInstances: the machine and its disk are gone for good",
        undo="a playbook makes a new machine; the dead node is removed from the Swarm",
        effect=Effect.DOWN,
        past_tense="was lost for good",
        option_names=("replace_with",),
        stops=True,
        irreversible=True,
    )
)
class InstanceTerminate(InstanceFault):
    """TerminateInstances: machine, disk and address are gone for good."""

    api_call = "TerminateInstances"
    undo_action = UndoAction.REPLACE_INSTANCE

    def request(self, instance_id: str) -> None:
        """See :class:`InstanceFault`."""
        self.context.ec2.terminate(instance_id)

    def describe(self, target: TargetRecord) -> str:
        """See :class:`Fault`."""
        return (
            f"terminate {target.node} ({target.instance_id}) for good, with its disk; "
            f"undo: a new machine, made by `{self._command}`"
        )

    def undo_by_hand(self, target: TargetRecord) -> str:
        """See :class:`Fault`."""
        return f"{self._command}; docker node rm {word(target.node_id)}"

    def revert(self, steps: Sequence[UndoStep]) -> None:
        """Run the playbook if a machine is gone, then remove its node from the Swarm."""
        self.await_late_request(steps)
        gone = [step for step in steps if self._is_gone(step)]
        if not gone:
            return
        self._replace(", ".join(step.node for step in gone))
        for step in gone:
            self._remove_node(step)

    @property
    def _command(self) -> str:
        return self.context.options.replace_with

    def _is_gone(self, step: UndoStep) -> bool:
        return self.context.ec2.state(step.instance_id) in GONE

    def _replace(self, names: str) -> None:
        words = shlex.split(self._command)
        self.context.status(f"`{self._command}` to replace {names}")
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=REPLACE_TIMEOUT_S,
                check=False,
                # Ctrl-C is for swarmctl, which handles it; the playbook must run to its end.
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise SwarmctlError(
                f"cannot run `{self._command}`: {error.filename} was not found",
                "run it from the project's directory, or give --replace-with",
            ) from error
        except subprocess.TimeoutExpired as error:
            raise SwarmctlError(
                f"`{self._command}` did not end within {REPLACE_TIMEOUT_S:g} s"
            ) from error
        if done.returncode != 0:
            end = "\n".join(done.stdout.splitlines()[-_SHOWN_LINES:])
            raise SwarmctlError(f"`{self._command}` ended with {done.returncode}:\n{end}")
        self.context.mark("replaced", f"{names} replaced by {words[0]}")

    def _remove_node(self, step: UndoStep) -> None:
        """A dead node stays listed, and keeps the addresses of its tasks, until it is removed."""
        node = self.context.engine.snapshot().node_by_id(step.node_id)
        if node is None or node.live:
            return  # removed by the playbook, or not the machine that is gone
        try:
            self.context.engine.send(
                "DELETE", f"/nodes/{step.node_id}", params={"force": "true"}, repeat=True
            )
        except EngineError as error:
            if error.status != 404:
                raise
