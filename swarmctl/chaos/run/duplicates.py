"""Containers that keep running after Swarm has replaced them: Swarm does not fence a node.

To the managers the node is Down, so the node itself is asked, over SSH. Not through its Engine,
which may hang: containerd keeps one process beside each running container, and the Engine's file of
that container names its task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swarmctl.chaos.journal.journal import ServiceOutcome, TargetRecord
from swarmctl.chaos.run.log import RunLog
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


def count_by_service(shell: Shell, targets: Sequence[TargetRecord]) -> dict[str, int]:
    """How many containers of each service run on some nodes at this moment.

    Raises:
        SwarmctlError: one of the nodes cannot be asked.
    """
    return dict(Counter(container.service for container in running(shell, targets)))


def replaced_elsewhere(
    still: Mapping[str, int], services: Sequence[ServiceOutcome]
) -> dict[str, int]:
    """How many of them Swarm has replaced on other nodes; the others run only once.

    Args:
        still: see :func:`count_by_service`.
        services: from the verdict.
    """
    pairs = {one.service: min(still.get(one.service, 0), one.replaced) for one in services}
    return {service: count for service, count in pairs.items() if count}


def not_wanted(shell: Shell, targets: Sequence[TargetRecord], swarm: Swarm) -> tuple[Running, ...]:
    """The containers on some nodes whose task the managers no longer want there.

    Args:
        shell: asks the nodes.
        targets: the nodes.
        swarm: a snapshot.

    Raises:
        SwarmctlError: one of the nodes cannot be asked.
    """
    wanted = {task.id for task in swarm.tasks if task.desired_state == "running"}
    return tuple(one for one in running(shell, targets) if one.task_id not in wanted)


def describe(counts: Mapping[str, int], targets: Sequence[TargetRecord]) -> str:
    """One line about containers that still run where they should not."""
    parts = [f"{n} container{'s' if n > 1 else ''} of {name}" for name, n in counts.items()]
    where = ", ".join(dict.fromkeys(target.node for target in targets))
    runs = "run" if sum(counts.values()) > 1 else "runs"
    return f"{', '.join(parts)} still {runs} on {where}"


@dataclass
class Duplicates:
    """Counts them in one run.

    Args:
        shell: asks the nodes.
        log: of the run.
        possible: whether the fault leaves containers running on the node.
    """

    shell: Shell
    log: RunLog
    possible: bool
    _next_count: float = 0.0
    _left: str = "the node has not been asked what still runs there"

    def count(self, services: Sequence[ServiceOutcome]) -> None:
        """Count them at the verdict, for the journal."""
        journal = self.log.journal
        if not self.possible:
            return
        try:
            still = count_by_service(self.shell, journal.targets)
            journal.duplicates = replaced_elsewhere(still, services)
        except SwarmctlError as fault:
            self.log.note(f"cannot ask the targets what still runs there: {fault.message}")
        if journal.duplicates:
            text = describe(journal.duplicates, journal.targets)
            self.log.mark("duplicates", f"{text}: Swarm does not fence a node")

    def left(self, swarm: Swarm) -> str:
        """What runs on the returned nodes and should not; asked once a second until it is ``""``.

        Args:
            swarm: the newest snapshot.
        """
        now = self.log.clock.now()
        if not self.possible or not self._left or now < self._next_count:
            return self._left if self.possible else ""
        self._next_count = now + _EVERY_S
        targets = self.log.journal.targets
        try:
            still = Counter(one.service for one in not_wanted(self.shell, targets, swarm))
        except SwarmctlError as fault:
            self._left = fault.message
            return self._left
        self._left = describe(still, targets) if still else ""
        if not still and self.log.journal.duplicates:
            self.log.mark("duplicates-gone", "nothing runs twice any more")
        return self._left
