"""What every fault can do, and what it gets to do it with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Protocol

from swarmctl.chaos.faults.targets import Selection
from swarmctl.chaos.journal.journal import TargetRecord, UndoStep
from swarmctl.chaos.world.protocols import Clock, Ec2, Shell
from swarmctl.errors import UsageError
from swarmctl.swarm.engine import Engine

# How long a fault lasts that the nodes survive, unless the user says otherwise.
PRESSED_S = 30.0


class Effect(StrEnum):
    """What a fault does to its targets, as far as the verdict is concerned."""

    DOWN = "down"  # the managers call the nodes Down; their replicas are started elsewhere
    DRAINED = "drained"  # the nodes stay Ready; their replicas are started elsewhere
    RETURNS = "returns"  # the nodes go away and come back by themselves
    STAYS = "stays"  # the nodes have a hard time, but stay
    TASKS = "tasks"  # single tasks end; they are started again, where does not matter


@dataclass(frozen=True, slots=True)
class Options:
    """What can be said about a fault beyond its targets. Each fault takes some of these.

    Args:
        force: pull the plug instead of a clean shutdown.
        sever: from whom a node is cut off: ``managers``, ``workers`` or ``all``.
        level: per cent: of the processors that are kept busy, of the memory or the disk that is in
            use in the end, of the packets that are lost. ``None``: the fault's own default.
        delay_ms: by how many milliseconds packets are late.
        replace_with: the command that makes a new machine for one that was terminated.
    """

    force: bool = False
    sever: str = "all"
    level: int | None = None
    delay_ms: int = 200
    replace_with: str = "ansible-playbook playbooks/site.yml"

    def parameters(self, taken: Sequence[str]) -> dict[str, Any]:
        """Those a fault takes, as a journal keeps them."""
        return {name: getattr(self, name) for name in taken}

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Options:
        """From what a journal kept."""
        known = {f.name for f in fields(cls)}
        return cls(**{k: v for k, v in parameters.items() if k in known})


@dataclass(frozen=True)
class Setting:
    """The surroundings of a fault.

    Args:
        ec2: the EC2 API.
        shell: commands on the nodes.
        engine: requests to the managers.
        clock: the run's time.
        check: raises when the run was interrupted (and may be given up at this point).
        status: says what is being awaited; completes "waiting for …".
        mark: puts a moment on the time line: its kind and its text.
        options: see :class:`Options`.
        run_id: of the run, for what is left on the nodes meanwhile.
        ttl_s: seconds after which a node heals by itself when nobody does it.
    """

    ec2: Ec2
    shell: Shell
    engine: Engine
    clock: Clock
    check: Callable[[], None]
    status: Callable[[str], None]
    mark: Callable[[str, str], None]
    options: Options = field(default_factory=Options)
    run_id: str = ""
    ttl_s: float = 900.0


class Fault(Protocol):
    """A way to take nodes away, and to put them back."""

    def refusal(self, targets: Sequence[TargetRecord]) -> str:
        """Why it cannot be done to these targets; ``""`` when it can. Touches nothing."""

    def describe(self, target: TargetRecord) -> str:
        """What will happen to this target, and how it is undone, in one line."""

    def plan(self, targets: Sequence[TargetRecord]) -> tuple[UndoStep, ...]:
        """How everything this fault may do is undone. Called, and stored, before ``inject``."""

    def inject(self, targets: Sequence[TargetRecord]) -> None:
        """Do it; returns when every request is accepted."""

    def watch(self, targets: Sequence[TargetRecord]) -> None:
        """A chance, a few times a second, to note how the fault itself goes on."""

    def settled(self) -> bool:
        """Whether the fault has had its effect, so that a verdict means something."""

    def revert(self, steps: Sequence[UndoStep]) -> None:
        """Undo what is not undone yet; can be called any number of times.

        Raises:
            SwarmctlError: something can't be put back; the message says what.
        """


@dataclass(frozen=True)
class Kind:
    """A fault that a user can name, and all there is to know about it before it is made.

    Args:
        name: as it is typed.
        does: one line for ``swarmctl chaos faults``.
        undone: how it is undone, one line.
        effect: see :class:`Effect`.
        past: completes "swarm_app_wkr2 …" in the verdict.
        make: makes it.
        takes: names of the fields of :class:`Options` it takes.
        selection: the targets when the user names none.
        stops: whether the EC2 instance itself is stopped (guard ``stoppable``).
        duration_s: how long it lasts at least before it is undone, unless the user says otherwise.
        zone: whether it takes a zone, which must be named.
        final: whether what it takes can't be put back as it was; the user is asked.
        keeps_running: whether containers run on on a node that the managers call Down.
        spares: whether, with these options, the managers go on calling the nodes Ready;
            ``None``: never.
    """

    name: str
    does: str
    undone: str
    effect: Effect
    past: str
    make: Callable[[Setting], Fault]
    takes: tuple[str, ...] = ()
    selection: Selection = field(default_factory=Selection)
    stops: bool = False
    duration_s: float = 0.0
    final: bool = False
    zone: bool = False
    keeps_running: bool = False
    spares: Callable[[Options], bool] | None = None

    def given(self, options: Options) -> Kind:
        """What it is with these options: not every way to do it takes the nodes away."""
        if self.spares is None or not self.spares(options):
            return self
        return replace(self, effect=Effect.STAYS, duration_s=max(self.duration_s, PRESSED_S))

    def check(self, given: Mapping[str, Any]) -> Options:
        """The options, if this fault takes all that were given.

        Args:
            given: by the names of :class:`Options`; ``None`` is not given.

        Raises:
            UsageError: it does not take one of them.
        """
        said = {name: value for name, value in given.items() if value is not None}
        for name in said:
            if name not in self.takes:
                takes = ", ".join(self.takes) or "none"
                raise UsageError(f"{self.name} takes no option {name!r}", f"it takes: {takes}")
        return Options(**said)

    def check_aim(self, selection: Selection) -> None:
        """Refuse targets that this fault is not about.

        Raises:
            UsageError: says what to name instead.
        """
        if self.effect is Effect.TASKS and not selection.service:
            raise UsageError(f"{self.name}: which service's tasks?", "--target service:NAME")
        if self.effect is not Effect.TASKS and selection.service:
            raise UsageError(
                f"{self.name} takes nodes, not the tasks of {selection.service}",
                f"the nodes they run on are --target hosts-service:{selection.service}",
            )
        if self.selection.leader and not selection.leader:
            raise UsageError(
                f"{self.name} takes whoever leads", "leave out --target, or use instance-stop"
            )
        if self.zone and not selection.zone:
            raise UsageError(f"{self.name}: which zone?", "--az ZONE")


def step_per_node(
    targets: Sequence[TargetRecord], action: str, by_hand: Callable[[TargetRecord], str]
) -> tuple[UndoStep, ...]:
    """An undo plan of one step a node.

    Args:
        targets: the nodes.
        action: see :class:`UndoStep`.
        by_hand: the command a person would type for a node.
    """
    return tuple(
        UndoStep(action, target.node, target.node_id, target.instance_id, by_hand(target))
        for target in targets
    )


class NodeWatch:
    """Notes once per target that the machine does not answer any more.

    Args:
        setting: the fault's.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._gone: set[str] = set()

    def look(self, targets: Sequence[TargetRecord]) -> None:
        """Try the SSH port of each target that answered so far."""
        for target in targets:
            if target.node not in self._gone and not self._setting.shell.reachable(target.node):
                self._gone.add(target.node)
                self._setting.mark("unreachable", f"{target.node} does not answer any more")
