"""Drain the nodes, as an operator does before maintenance; undo: what they were before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from swarmctl.chaos.faults.base import Setting, step_per_node
from swarmctl.chaos.journal.journal import TargetRecord, UndoStep
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.engine import EngineError
from swarmctl.wait import wait_for

ACTIVATE = "activate-node"
_TIMEOUT_S = 60.0
_TRIES = 5


@dataclass
class Drain:
    """Availability ``drain``: the node stays in the Swarm, and runs nothing."""

    setting: Setting

    def refusal(self, targets: Sequence[TargetRecord]) -> str:
        """Only an active node can be drained and made active again."""
        for target in targets:
            availability = self._node(target.node_id)["Spec"]["Availability"]
            if availability != "active":
                return f"{target.node} is {availability} already"
        return ""

    def settled(self) -> bool:
        """See :class:`Fault`."""
        return True

    def describe(self, target: TargetRecord) -> str:
        """What will happen to this target."""
        return f"drain {target.node}; undo: make it active"

    def plan(self, targets: Sequence[TargetRecord]) -> tuple[UndoStep, ...]:
        """Every node is to be active again."""
        return step_per_node(
            targets,
            ACTIVATE,
            lambda target: f"docker node update --availability active {target.node_id}",
        )

    def inject(self, targets: Sequence[TargetRecord]) -> None:
        """Drain them, one after the other."""
        for target in targets:
            self.setting.check()
            self._make(target.node_id, "drain")
            self.setting.mark("drained", f"{target.node} is drained")

    def watch(self, targets: Sequence[TargetRecord]) -> None:
        """See :class:`Fault`; there is nothing to see but the tasks."""

    def revert(self, steps: Sequence[UndoStep]) -> None:
        """Make them active; the managers may be electing, so it is tried for a minute."""

        def look() -> tuple[bool | None, str]:
            try:
                for step in steps:
                    if self._node(step.node_id)["Spec"]["Availability"] == "drain":
                        self._make(step.node_id, "active")
                        self.setting.mark("activated", f"{step.node} is active again")
            except SwarmctlError as fault:
                return None, fault.message
            return True, "active"

        names = ", ".join(step.node for step in steps)
        self.setting.status(f"{names} to be active")
        wait_for(
            f"{names} to be active",
            look,
            timeout=_TIMEOUT_S,
            interval=0.5,
            clock=self.setting.clock.now,
            pause=self.setting.clock.pause,
        )

    def _node(self, node_id: str) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = self.setting.engine.get(f"/nodes/{node_id}")
        return found

    def _make(self, node_id: str, availability: str) -> None:
        """Change one field; somebody else's change in between is kept, and ours tried again."""
        for attempt in range(_TRIES):
            node = self._node(node_id)
            try:
                self.setting.engine.send(
                    "POST",
                    f"/nodes/{node_id}/update",
                    {**node["Spec"], "Availability": availability},
                    params={"version": str(node["Version"]["Index"])},
                )
            except EngineError as fault:
                if "out of sequence" not in fault.message or attempt == _TRIES - 1:
                    raise
            else:
                return
