"""What is known about a fault before it is made: for the user, the guards and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from swarmctl.chaos.fault.selection import WORKER, Selection
from swarmctl.chaos.journal.journal import REPLACE_WITH
from swarmctl.errors import UsageError

# How long a fault lasts that leaves its nodes in the Swarm, unless the user decides otherwise.
PRESSURE_S = 30.0


class Effect(StrEnum):
    """What a fault does to its targets, as far as the verdict is concerned."""

    DOWN = "down"  # the managers mark the nodes Down; their replicas start elsewhere
    DRAINED = "drained"  # the nodes stay Ready; their replicas start elsewhere
    RETURNS = "returns"  # the nodes go away and come back by themselves
    STAYS = "stays"  # the nodes are under pressure, but stay Ready
    TASKS = "tasks"  # single tasks end; Swarm replaces them on any node


@dataclass(frozen=True, slots=True)
class Options:
    """What a user can set about a fault beyond its targets. Each fault takes some of these.

    Args:
        force: power off instead of a clean shutdown.
        sever: from which nodes the target is cut off: ``managers``, ``workers`` or ``all``.
        level: percentage: of CPU time used, of memory or disk in use at the end, of packets lost.
            ``None``: the fault's own default.
        delay_ms: delay of each packet in milliseconds.
        replace_with: the command that replaces a terminated machine.
    """

    force: bool = False
    sever: str = "all"
    level: int | None = None
    delay_ms: int = 200
    replace_with: str = REPLACE_WITH

    def parameters(self, taken: Sequence[str]) -> dict[str, Any]:
        """The options that a fault takes, as a journal keeps them."""
        return {name: getattr(self, name) for name in taken}

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Options:
        """The options that a journal kept."""
        known = {f.name for f in fields(cls)}
        return cls(**{k: v for k, v in parameters.items() if k in known})


# How a user writes each field of Options: as a key in files, behind ``--`` on the command line.
OPTION_KEYS = {
    "force": "force",
    "sever": "from",
    "level": "level",
    "delay_ms": "delay",
    "replace_with": "replace-with",
}


@dataclass(frozen=True)
class Kind:
    """What a user can name, and all there is to know about it before a fault is made.

    Args:
        name: as it is typed.
        summary: one line for ``swarmctl chaos faults``: what it does.
        undo: how it is undone, one line.
        effect: see :class:`Effect`.
        past_tense: completes "swarm_app_wkr2 …" in the verdict; begins with "was".
        option_names: names of the fields of :class:`Options` that it takes.
        selection: the targets unless the user chooses others.
        stops: whether the EC2 instance itself is stopped (guard ``stoppable``).
        irreversible: whether the targets can't be restored as they were; the user must confirm.
        needs_zone: whether the user must name a zone.
        keeps_running: whether containers keep running on a node that the managers mark Down.
        impairs_network: whether a manager among the targets may lose its vote, Ready or not.
        stays_ready: whether, with these options, the nodes stay Ready; ``None``: never.
    """

    name: str
    summary: str
    undo: str
    effect: Effect
    past_tense: str
    option_names: tuple[str, ...] = ()
    selection: Selection = WORKER
    stops: bool = False
    irreversible: bool = False
    needs_zone: bool = False
    keeps_running: bool = False
    impairs_network: bool = False
    stays_ready: Callable[[Options], bool] | None = None

    @property
    def duration_s(self) -> float:
        """Seconds it lasts at least before it is undone, unless the user decides otherwise."""
        return PRESSURE_S if self.effect is Effect.STAYS else 0.0

    @property
    def may_end_votes(self) -> bool:
        """Whether managers among the targets may be missing from the quorum."""
        return self.impairs_network or self.effect in (Effect.DOWN, Effect.RETURNS)

    @property
    def rolls(self) -> bool:
        """Whether it can take one node after the other (``--rolling``)."""
        return not self.needs_zone and not self.selection.leader

    def with_options(self, options: Options) -> Kind:
        """The kind under these options: some leave the nodes Ready that others take Down."""
        if self.stays_ready is None or not self.stays_ready(options):
            return self
        return replace(self, effect=Effect.STAYS)

    def check_selection(self, selection: Selection) -> None:
        """Refuse targets that this fault cannot have.

        Raises:
            UsageError: says what to choose instead.
        """
        if self.effect is Effect.TASKS and not selection.service:
            raise UsageError(
                f"{self.name} needs a service", "targets.service, or --target service:NAME"
            )
        if self.effect is not Effect.TASKS and selection.service:
            raise UsageError(
                f"{self.name} takes nodes, not the tasks of {selection.service}",
                f"for the nodes they run on: hosts-service:{selection.service}",
            )
        if self.selection.leader and not selection.leader:
            raise UsageError(
                f"{self.name} always takes the leader",
                "leave out the targets, or use instance-stop",
            )
        if self.needs_zone and not selection.zone:
            raise UsageError(f"{self.name} needs a zone", "targets.az, or --az ZONE")
