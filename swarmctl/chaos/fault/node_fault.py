"""Faults that a node inflicts on itself, over SSH: each with a timer on the node that undoes it.

The order is what makes them safe: the undo script is on the node, and its timer runs, before
anything is broken. So the node recovers even if swarmctl is killed or SSH is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from swarmctl.chaos.fault import node_script
from swarmctl.chaos.fault.fault import Fault, FaultContext, UndoAction
from swarmctl.chaos.fault.kind import Effect
from swarmctl.chaos.fault.node_script import NodeScript
from swarmctl.chaos.journal.journal import TargetRecord, UndoStep
from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.reading.commands import on_node

# What --from may name: the roles on the other side of a cut.
SIDES = {"managers": ("manager",), "workers": ("worker",), "all": ("manager", "worker")}
_SIDES_IN_WORDS = {"managers": "the managers", "workers": "the workers", "all": "all other nodes"}

REVERT_TIMEOUT_S = 180.0
# One script: an Engine that stops gives its containers 10 s, and starts within a few seconds.
_SCRIPT_TIMEOUT_S = 60.0
_EFFECT_TIMEOUT_S = 4.0
_EFFECT_EVERY_S = 0.5
# A fault in force is looked at so often; less often where the node is slow to answer, because the
# managers are not asked meanwhile.
_IN_FORCE_EVERY_S = 1.0
_IN_FORCE_TIMEOUT_S = 1.5
_IN_FORCE_AGAIN_S = 5.0
_MAX_CONNECTIONS = 16


class NodeFault(Fault):
    """A script, run on every target at the same time.

    Raises:
        UsageError: ``sever`` is none of :data:`SIDES`.
    """

    script: ClassVar[NodeScript]
    undo_action = UndoAction.HEAL_NODE

    def __init__(self, context: FaultContext) -> None:
        super().__init__(context)
        self._peers: tuple[str, ...] | None = None
        self._started: set[str] = set()
        self._in_effect: dict[str, float] = {}  # node → when that was seen last
        self._next_check = 0.0
        if context.options.sever not in SIDES:
            raise UsageError(f"from {context.options.sever!r}?", f"one of: {', '.join(SIDES)}")

    def refusal(self, targets: Sequence[TargetRecord]) -> str:
        """The targets' own reasons."""
        if self.script.needs_peers and not self._other_addresses(targets):
            return f"{_SIDES_IN_WORDS[self.context.options.sever]}: there are none but the targets"
        script = node_script.check_script(self.script, self._variables(targets))
        answers, failures = self._run_on([target.node for target in targets], script)
        reasons = [f"{node}: {' '.join(text.split())}" for node, text in answers.items() if text]
        return "; ".join([*reasons, *failures.values()])

    def describe(self, target: TargetRecord) -> str:
        """See :class:`Fault`."""
        action = self._filled(self.script.action, target.node)
        return f"{action}; undo: {self.kind.undo}; auto-heal timer: {self.context.ttl_s:.0f} s"

    def undo_by_hand(self, target: TargetRecord) -> str:
        """See :class:`Fault`."""
        undo = f"sudo sh {self.script.home(self.context.run_id)}/undo"
        return on_node(target.node, undo)

    def inject(self, targets: Sequence[TargetRecord]) -> None:
        """Set every target's timer, and only then start the fault, on all at once."""
        nodes, values = [target.node for target in targets], self._variables(targets)
        self.context.check()
        self._require_on(nodes, node_script.arm_script(self.script, values))
        self.context.mark(
            "armed", f"{', '.join(nodes)}: auto-heal timer set: {self.context.ttl_s:.0f} s"
        )
        self.context.check()
        self._started = set(nodes)
        self._require_on(nodes, node_script.start_script(self.script, values))
        for node in nodes:
            self._mark(self.script.start_mark, node)

    def watch(self, targets: Sequence[TargetRecord]) -> None:
        """Mark the moment the fault has its effect, and the one at which it has it no more."""
        if not self._started or self.context.clock.now() < self._next_check:
            return
        waiting = [t.node for t in targets if t.node in self._started - self._in_effect.keys()]
        every_s = self._await_effect(waiting, targets) if waiting else self._check_in_force(targets)
        self._next_check = self.context.clock.now() + every_s

    def _await_effect(self, waiting: Sequence[str], targets: Sequence[TargetRecord]) -> float:
        script = node_script.effect_script(self.script, self._variables(targets))
        answers, _ = self._run_on(waiting, script, _EFFECT_TIMEOUT_S)
        for node in answers:
            self._in_effect[node] = self.context.clock.now()
            silenced = node if self.script.silences else ""
            self._mark(self.script.effect_mark, node, silenced)
        return _EFFECT_EVERY_S

    def _check_in_force(self, targets: Sequence[TargetRecord]) -> float:
        """Look whether it still is in force; a node that does not answer says nothing."""
        if self.kind.effect is Effect.RETURNS:
            return _IN_FORCE_AGAIN_S  # it is over by itself, that is its effect
        asked_at = self.context.clock.now()
        script = node_script.in_force_script(self.script, self._variables(targets))
        answers, silent = self._run_on(list(self._in_effect), script, _IN_FORCE_TIMEOUT_S)
        for node, text in answers.items():
            if text.split() == [node_script.IN_FORCE]:
                self._in_effect[node] = asked_at
            else:
                why = f" ({' '.join(text.split())})" if text.strip() else ""
                self.note_end(f"{node}: {self.kind.name} is not in force any more{why}")
        return _IN_FORCE_AGAIN_S if silent else _IN_FORCE_EVERY_S

    def took_effect(self) -> bool:
        """Whether it is in effect on every target."""
        return bool(self._started) and self._in_effect.keys() >= self._started

    def seen_s(self) -> float:
        """See :class:`Fault`."""
        if self.kind.effect is Effect.RETURNS or not self._in_effect:
            return super().seen_s()
        return min(self._in_effect.values())

    def revert(self, steps: Sequence[UndoStep]) -> None:
        """Undo it on every node and check that; retry where the node does not answer."""
        left = {step.node: "" for step in steps}
        script = node_script.revert_script(
            self.script, node_script.variables(self.script, self.context)
        )

        def undo() -> tuple[bool | None, str]:
            troubles = "; ".join(filter(None, left.values()))
            self.context.status(f"{', '.join(left)} to heal{troubles and ': '}{troubles}")
            answers, failures = self._run_on(list(left), script)
            for node, text in answers.items():
                del left[node]
                nothing = text.split() == ["nothing"]
                done = f"nothing was left to undo on {node}" if nothing else f"{node} is healed"
                self.context.mark("healed", done)
            left.update(failures)
            for step in steps:
                if step.node in failures and self._is_gone(step):
                    del left[step.node]
            return (None if left else True), "; ".join(left.values())

        self.context.wait_for(f"{', '.join(left)} to be healed", undo, REVERT_TIMEOUT_S, 1.0)

    def _is_gone(self, step: UndoStep) -> bool:
        try:
            return self.gone(step)
        except SwarmctlError:  # EC2 does not answer: the next round asks again
            return False

    def _other_addresses(self, targets: Sequence[TargetRecord]) -> tuple[str, ...]:
        """Addresses on the other side; the targets stay together, as in a real partition."""
        if self._peers is None:
            hit = {target.node_id for target in targets}
            self._peers = tuple(
                node.address
                for node in self.context.engine.snapshot().nodes
                if node.id not in hit
                and node.role in SIDES[self.context.options.sever]
                and node.address
            )
        return self._peers

    def _variables(self, targets: Sequence[TargetRecord]) -> str:
        peers = self._other_addresses(targets) if self.script.needs_peers else ()
        return node_script.variables(self.script, self.context, peers)

    def _filled(self, text: str, node: str) -> str:
        options = self.context.options
        return text.format(
            node=node,
            level=options.level or self.script.level,
            delay_ms=options.delay_ms,
            sever=_SIDES_IN_WORDS[options.sever],
        )

    def _mark(self, mark: tuple[str, str] | None, node: str, silenced: str = "") -> None:
        if mark is not None:
            self.context.mark(mark[0], self._filled(mark[1], node), silenced=silenced)

    def _require_on(self, nodes: Sequence[str], script: str) -> None:
        _, failures = self._run_on(nodes, script)
        if failures:
            raise SwarmctlError("; ".join(failures.values()))

    def _run_on(
        self, nodes: Sequence[str], script: str, timeout_s: float = _SCRIPT_TIMEOUT_S
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Run a script on several nodes at once: the outputs, and the errors, by node."""

        def run(node: str) -> tuple[bool, str]:
            try:
                return True, self.context.shell.run(node, script, timeout_s)
            except SwarmctlError as error:
                return False, error.message

        with ThreadPoolExecutor(max_workers=_MAX_CONNECTIONS) as pool:
            found = dict(zip(nodes, pool.map(run, nodes), strict=True))
        outputs = {node: text for node, (ok, text) in found.items() if ok}
        return outputs, {node: text for node, (ok, text) in found.items() if not ok}
