"""Kill containers of a service, as a crash or the kernel's OOM killer would."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from swarmctl.chaos.faults.base import Setting
from swarmctl.chaos.journal.journal import TargetRecord, UndoStep


@dataclass
class TaskKill:
    """SIGKILL to a replica's container; Swarm is to start another one for its slot."""

    setting: Setting

    def refusal(self, targets: Sequence[TargetRecord]) -> str:
        """A task must have a container by now."""
        without = [target.what for target in targets if not target.container_id]
        return f"no container yet: {', '.join(without)}" if without else ""

    def settled(self) -> bool:
        """See :class:`Fault`; the verdict waits until the tasks themselves have ended."""
        return True

    def describe(self, target: TargetRecord) -> str:
        """What will happen to this target."""
        return f"kill the container of {target.what}; nothing to undo, Swarm starts another"

    def plan(self, targets: Sequence[TargetRecord]) -> tuple[UndoStep, ...]:
        """Nothing: the replacement is what is tested."""
        del targets
        return ()

    def inject(self, targets: Sequence[TargetRecord]) -> None:
        """Kill them, all of one node at once."""
        for node in dict.fromkeys(target.node for target in targets):
            self.setting.check()
            ids = [target.container_id for target in targets if target.node == node]
            self.setting.shell.run(node, f"docker kill {shlex.join(ids)}")
            self.setting.mark("killed", f"{len(ids)} containers killed on {node}")

    def watch(self, targets: Sequence[TargetRecord]) -> None:
        """See :class:`Fault`; there is nothing to see but the tasks."""

    def revert(self, steps: Sequence[UndoStep]) -> None:
        """Nothing to undo."""
