"""drain: drain the node, as an operator does before maintenance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swarmctl.chaos.fault.fault import Fault, UndoAction
from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.registry import fault
from swarmctl.chaos.journal.journal import TargetRecord, UndoStep
from swarmctl.errors import SwarmctlError
from swarmctl.reading.commands import word
from swarmctl.swarm.engine import change_node

# The managers may be electing a leader.
_REVERT_TIMEOUT_S = 60.0
_CHECK_EVERY_S = 1.0


@fault(
    Kind(
        "drain",
        summary="availability drain: what an operator does before maintenance",
        undo="availability active",
        effect=Effect.DRAINED,
        past_tense="was drained",
    )
)
class Drain(Fault):
    """Availability ``drain``: the node stays in the Swarm, and runs nothing."""

    undo_action = UndoAction.ACTIVATE_NODE
    _next_check = 0.0

    def refusal(self, targets: Sequence[TargetRecord]) -> str:
        """Only an active node can be drained and made active again."""
        for target in targets:
            availability = self._availability(target.node_id)
            if availability != "active":
                return f"{target.node}: availability is already {availability}"
        return ""

    def describe(self, target: TargetRecord) -> str:
        """See :class:`Fault`."""
        return f"drain {target.node}; undo: {self.kind.undo}"

    def undo_by_hand(self, target: TargetRecord) -> str:
        """See :class:`Fault`."""
        return f"docker node update --availability active {word(target.node_id)}"

    def inject(self, targets: Sequence[TargetRecord]) -> None:
        """Drain them, one after the other."""
        for target in targets:
            self.context.check()
            self._set_availability(target.node_id, "drain")
            self.context.mark("drained", f"{target.node} is drained")

    def watch(self, targets: Sequence[TargetRecord]) -> None:
        """Notice when someone else makes a drained node active; silent managers say nothing."""
        if self.context.clock.now() < self._next_check:
            return
        self._next_check = self.context.clock.now() + _CHECK_EVERY_S
        for target in targets:
            try:
                availability = self._availability(target.node_id)
            except SwarmctlError:
                return
            if availability != "drain":
                self.note_end(f"{target.node} was set to {availability} by someone else")

    def revert(self, steps: Sequence[UndoStep]) -> None:
        """Make them active."""

        def activate() -> tuple[bool | None, str]:
            try:
                for step in steps:
                    if self._left(step):
                        continue
                    if self._availability(step.node_id) == "drain":
                        self._set_availability(step.node_id, "active")
                        self.context.mark("activated", f"{step.node} is active again")
            except SwarmctlError as error:
                return None, error.message
            return True, "active"

        awaited = f"{', '.join(step.node for step in steps)} to be active"
        self.context.status(awaited)
        self.context.wait_for(awaited, activate, _REVERT_TIMEOUT_S)

    def _left(self, step: UndoStep) -> bool:
        """Whether the node is no member of the Swarm any more: nothing is left to undo."""
        if self.context.engine.snapshot().node_by_id(step.node_id) is not None:
            return False
        self.lost[step.node] = f"{step.node}: the node {step.node_id} was removed from the Swarm"
        return True

    def _node(self, node_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.context.engine.get(f"/nodes/{node_id}")
        return found

    def _availability(self, node_id: str) -> str:
        return str(self._node(node_id)["Spec"]["Availability"])

    def _set_availability(self, node_id: str, availability: str) -> None:
        """Change this field alone."""
        change_node(
            self.context.engine, node_id, lambda spec: {**spec, "Availability": availability}
        )
