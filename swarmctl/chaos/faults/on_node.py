"""Faults that a node does to itself, over SSH: each with a timer on the node that heals it.

The order is what makes them safe: the undo script is on the node, and its timer is seen to tick,
before anything is broken. So a node heals though swarmctl is killed, or SSH is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from swarmctl.chaos.faults import recipe as scripts
from swarmctl.chaos.faults.base import Setting, step_per_node
from swarmctl.chaos.faults.recipe import Recipe
from swarmctl.chaos.journal.journal import TargetRecord, UndoStep
from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.wait import wait_for

HEAL = "heal-node"
SIDES = {"managers": ("manager",), "workers": ("worker",), "all": ("manager", "worker")}

REVERT_TIMEOUT_S = 180.0
# One script: an Engine that is stopped gives its containers 10 s, and starts in a few.
_SCRIPT_TIMEOUT_S = 60.0
_LOOK_TIMEOUT_S = 4.0
_LOOK_EVERY_S = 0.5
_AT_ONCE = 16


@dataclass
class OnNode:
    """A recipe, carried out on every target at the same time.

    Raises:
        UsageError: ``sever`` names no side.
    """

    setting: Setting
    recipe: Recipe
    _peers: tuple[str, ...] | None = None
    _begun: set[str] = field(default_factory=set)
    _held: set[str] = field(default_factory=set)
    _next_look: float = 0.0

    def __post_init__(self) -> None:
        if self.setting.options.sever not in SIDES:
            raise UsageError(f"from {self.setting.options.sever!r}?", f"one of: {', '.join(SIDES)}")

    def refusal(self, targets: Sequence[TargetRecord]) -> str:
        """Ask every target whether it can."""
        if self.recipe.peers and not self._others(targets):
            return f"besides the targets there are no nodes of this kind: {self._sever}"
        script = scripts.possible(self.recipe, self._variables(targets))
        answers, failures = self._each([target.node for target in targets], script)
        words = [f"{node}: {' '.join(text.split())}" for node, text in answers.items() if text]
        return "; ".join([*words, *failures.values()])

    def describe(self, target: TargetRecord) -> str:
        """What will happen to this target."""
        what = self._filled(self.recipe.does, target.node)
        return f"{what}; undo: {self.recipe.undone}, by itself after {self.setting.ttl_s:.0f} s"

    def plan(self, targets: Sequence[TargetRecord]) -> tuple[UndoStep, ...]:
        """Every node is to be healed."""
        home = self.recipe.home(self.setting.run_id)
        return step_per_node(targets, HEAL, lambda target: f"ssh {target.node} sudo sh {home}/undo")

    def inject(self, targets: Sequence[TargetRecord]) -> None:
        """Arm every target's timer, and only then begin, everywhere at once."""
        nodes, variables = [target.node for target in targets], self._variables(targets)
        self.setting.check()
        self._all(nodes, scripts.arm(self.recipe, variables))
        self.setting.mark(
            "armed", f"{', '.join(nodes)} would heal without us in {self.setting.ttl_s:.0f} s"
        )
        self.setting.check()
        self._begun = set(nodes)
        self._all(nodes, scripts.begin(self.recipe, variables))
        for node in nodes:
            self._mark(self.recipe.begun, node)

    def watch(self, targets: Sequence[TargetRecord]) -> None:
        """Note when it has its effect."""
        waiting = [target.node for target in targets if target.node in self._begun - self._held]
        if not waiting or self.setting.clock.now() < self._next_look:
            return
        script = scripts.holds(self.recipe, self._variables(targets))
        answers, _ = self._each(waiting, script, _LOOK_TIMEOUT_S)
        for node in answers:
            self._held.add(node)
            self._mark(self.recipe.held, node)
        self._next_look = self.setting.clock.now() + _LOOK_EVERY_S

    def settled(self) -> bool:
        """Whether it has had its effect everywhere."""
        return bool(self._begun) and self._held >= self._begun

    def revert(self, steps: Sequence[UndoStep]) -> None:
        """Heal every node, and see that it is healed; one that does not answer is asked again."""
        left = {step.node: "" for step in steps}
        script = scripts.heal(self.recipe, scripts.prelude(self.recipe, self.setting))

        def look() -> tuple[bool | None, str]:
            troubles = "; ".join(filter(None, left.values()))
            self.setting.status(f"{', '.join(left)} to heal{troubles and ': '}{troubles}")
            answers, failures = self._each(list(left), script)
            for node, text in answers.items():
                del left[node]
                nothing = text.split() == ["nothing"]
                said = f"nothing was left to undo on {node}" if nothing else f"{node} is healed"
                self.setting.mark("healed", said)
            left.update(failures)
            return (None if left else True), "; ".join(left.values())

        wait_for(
            f"{', '.join(left)} to be healed",
            look,
            timeout=REVERT_TIMEOUT_S,
            interval=1.0,
            clock=self.setting.clock.now,
            pause=self.setting.clock.pause,
        )

    # -- small things ---------------------------------------------------------------------------

    @property
    def _sever(self) -> str:
        return self.setting.options.sever

    def _others(self, targets: Sequence[TargetRecord]) -> tuple[str, ...]:
        """The addresses on the other side: the targets stay together, as in a real partition."""
        if self._peers is None:
            hit = {target.node_id for target in targets}
            self._peers = tuple(
                node.address
                for node in self.setting.engine.snapshot().nodes
                if node.id not in hit and node.role in SIDES[self._sever] and node.address
            )
        return self._peers

    def _variables(self, targets: Sequence[TargetRecord]) -> str:
        peers = self._others(targets) if self.recipe.peers else ()
        return scripts.prelude(self.recipe, self.setting, peers)

    def _filled(self, text: str, node: str) -> str:
        options = self.setting.options
        others = {"managers": "the managers", "workers": "the workers", "all": "all other nodes"}
        return text.format(
            node=node,
            level=options.level or self.recipe.level,
            delay_ms=options.delay_ms,
            sever=others[options.sever],
        )

    def _mark(self, mark: tuple[str, str] | None, node: str) -> None:
        if mark is not None:
            self.setting.mark(mark[0], self._filled(mark[1], node))

    def _all(self, nodes: Sequence[str], script: str) -> None:
        _, failures = self._each(nodes, script)
        if failures:
            raise SwarmctlError("; ".join(failures.values()))

    def _each(
        self, nodes: Sequence[str], script: str, timeout_s: float = _SCRIPT_TIMEOUT_S
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Run a script on several nodes side by side: what it said, and where and why it failed."""

        def run(node: str) -> tuple[bool, str]:
            try:
                return True, self.setting.shell.run(node, script, timeout_s)
            except SwarmctlError as fault:
                return False, fault.message

        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            found = dict(zip(nodes, pool.map(run, nodes), strict=True))
        answers = {node: text for node, (ok, text) in found.items() if ok}
        return answers, {node: text for node, (ok, text) in found.items() if not ok}
