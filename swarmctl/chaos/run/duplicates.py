"""Containers that run on though Swarm has replaced them: nobody fences a node that is cut off.

The managers can't know: to them the node is Down. So the node is asked itself, over SSH, and not
through its Engine, which may hang: containerd keeps one process beside each running container, and
the Engine's file of that container tells its task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swarmctl.chaos.journal.journal import ServiceOutcome, TargetRecord
from swarmctl.chaos.run.record import Record
from swarmctl.chaos.world.protocols import Shell
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Swarm

_TIMEOUT_S = 10.0
_EVERY_S = 1.0

# One line a container: its service and its task.
_CONTAINERS = r"""
root=/var/lib/docker
named=$(sed -n 's/.*"data-root" *: *"\([^"]*\)".*/\1/p' /etc/docker/daemon.json 2>/dev/null || :)
label() { sed -n "s/.*\"com\.docker\.swarm\.$1\":\"\([^\"]*\)\".*/\1/p" "$file"; }
for process in /proc/[0-9]*; do
  id=$(tr '\0' ' ' <"$process/cmdline" 2>/dev/null |
    sed -n 's/^[^ ]*containerd-shim.* -id \([0-9a-f]*\) .*/\1/p')
  file=${named:-$root}/containers/$id/config.v2.json
  [ -n "$id" ] && [ -f "$file" ] || continue
  service=$(label service.name) task=$(label task.id)
  [ -z "$service" ] || echo "$service $task"
done
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A container of a service, as the node itself sees it."""

    node: str
    service: str
    task_id: str


def running(shell: Shell, targets: Sequence[TargetRecord]) -> tuple[Running, ...]:
    """The services' containers that run on some nodes at this moment.

    Raises:
        SwarmctlError: one of the nodes cannot be asked.
    """
    found = []
    for node in dict.fromkeys(target.node for target in targets):
        lines = shell.run(node, _CONTAINERS, _TIMEOUT_S).splitlines()
        found += [Running(node, *pair) for line in lines if len(pair := line.split()) == 2]
    return tuple(found)


def seen(shell: Shell, targets: Sequence[TargetRecord]) -> dict[str, int]:
    """How many containers of each service run on some nodes at this moment.

    Raises:
        SwarmctlError: one of the nodes cannot be asked.
    """
    return dict(Counter(container.service for container in running(shell, targets)))


def twice(still: Mapping[str, int], services: Sequence[ServiceOutcome]) -> dict[str, int]:
    """Of those, the ones that have been replaced elsewhere: one that was not runs only once.

    Args:
        still: see :func:`seen`.
        services: what the verdict says of each service.
    """
    pairs = {one.service: min(still.get(one.service, 0), one.replaced) for one in services}
    return {service: count for service, count in pairs.items() if count}


def unwanted(shell: Shell, targets: Sequence[TargetRecord], swarm: Swarm) -> tuple[Running, ...]:
    """The containers on some nodes whose task is not to run there any more.

    Args:
        shell: asks the nodes.
        targets: the nodes.
        swarm: what the managers want.

    Raises:
        SwarmctlError: one of the nodes cannot be asked.
    """
    wanted = {task.id for task in swarm.tasks if task.desired_state == "running"}
    return tuple(one for one in running(shell, targets) if one.task_id not in wanted)


def say(counts: Mapping[str, int], targets: Sequence[TargetRecord]) -> str:
    """One line about containers that run twice, or too long."""
    parts = [f"{n} container{'s' if n > 1 else ''} of {name}" for name, n in counts.items()]
    where = ", ".join(dict.fromkeys(target.node for target in targets))
    runs = "run" if sum(counts.values()) > 1 else "runs"
    return f"{', '.join(parts)} still {runs} on {where}"


@dataclass
class Duplicates:
    """Keeps track of them in one run.

    Args:
        shell: asks the nodes.
        record: the run's.
        possible: whether the fault leaves containers running.
    """

    shell: Shell
    record: Record
    possible: bool
    _next_look: float = 0.0
    _left: str = "it is not known what still runs there"

    def count(self, services: Sequence[ServiceOutcome]) -> None:
        """Count them at the verdict, into the journal."""
        journal = self.record.journal
        if not self.possible:
            return
        try:
            journal.duplicates = twice(seen(self.shell, journal.targets), services)
        except SwarmctlError as fault:
            self.record.note(f"what still runs on the targets is unknown: {fault.message}")
        if journal.duplicates:
            text = say(journal.duplicates, journal.targets)
            self.record.mark("duplicates", f"{text}: nobody fences them")

    def left(self, swarm: Swarm) -> str:
        """What runs on the returned nodes and should not; asked once a second until it is ``""``.

        Args:
            swarm: what the managers want now.
        """
        now = self.record.clock.now()
        if not self.possible or not self._left or now < self._next_look:
            return self._left if self.possible else ""
        self._next_look = now + _EVERY_S
        targets = self.record.journal.targets
        try:
            still = Counter(one.service for one in unwanted(self.shell, targets, swarm))
        except SwarmctlError as fault:
            self._left = fault.message
            return self._left
        self._left = say(still, targets) if still else ""
        if not still and self.record.journal.duplicates:
            self.record.mark("duplicates-gone", "nothing runs twice any more")
        return self._left
