"""task-kill: kill containers of a service, as a crash or the kernel's OOM killer would."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from swarmctl.chaos.fault.fault import Fault
from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.registry import fault
from swarmctl.chaos.fault.selection import Selection
from swarmctl.chaos.journal.journal import TargetRecord


@fault(
    Kind(
        "task-kill",
        summary="SIGKILL to containers of a service (--target service:NAME)",
        undo="nothing to undo: Swarm starts new tasks",
        effect=Effect.TASKS,
        past_tense="was killed",
        selection=Selection(),
    )
)
class TaskKill(Fault):
    """SIGKILL to a task's container; Swarm has to start another task for its slot."""

    def refusal(self, targets: Sequence[TargetRecord]) -> str:
        """Every task must have a container by now."""
        without = [target.what for target in targets if not target.container_id]
        return f"no container yet: {', '.join(without)}" if without else ""

    def describe(self, target: TargetRecord) -> str:
        """See :class:`Fault`."""
        return f"kill the container of {target.what}; nothing to undo: Swarm starts another"

    def inject(self, targets: Sequence[TargetRecord]) -> None:
        """Kill them, all containers of a node at once."""
        for node in dict.fromkeys(target.node for target in targets):
            self.context.check()
            ids = [target.container_id for target in targets if target.node == node]
            self.context.shell.run(node, f"docker kill {shlex.join(ids)}")
            self.context.mark("killed", f"{len(ids)} containers killed on {node}")
