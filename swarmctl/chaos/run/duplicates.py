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


def containers(shell: Shell, targets: Sequence[TargetRecord]) -> list[tuple[str, str]]:
    """Service name and task id of every container that runs on some nodes at this moment.

    Raises:
        SwarmctlError: one of the nodes cannot be asked.
    """
    found = []
    for node in dict.fromkeys(target.node for target in targets):
        for line in shell.run(node, _CONTAINERS, _TIMEOUT_S).splitlines():
            service, _, task_id = line.partition(" ")
            if task_id:
                found.append((service, task_id))
    return found


@dataclass
class Duplicates:
    """Counts them in one run.

    Args:
        possible: whether the fault leaves containers running on the node.
    """

    shell: Shell
    log: RunLog
    possible: bool
    _next_count: float = 0.0
    _left: str = "the node has not been asked what still runs there"

    def count(self, services: Sequence[ServiceOutcome]) -> None:
        """Count at the verdict, for the journal, the containers that Swarm has replaced."""
        journal = self.log.journal
        if not self.possible:
            return
        try:
            still = Counter(name for name, _ in containers(self.shell, journal.targets))
        except SwarmctlError as fault:
            self.log.note(f"cannot ask the targets what still runs there: {fault.message}")
            return
        twice = {one.service: min(still[one.service], one.replaced) for one in services}
        journal.duplicates = {service: count for service, count in twice.items() if count}
        if journal.duplicates:
            text = self._describe(journal.duplicates)
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
        wanted = {task.id for task in swarm.tasks if task.desired_state == "running"}
        try:
            found = containers(self.shell, self.log.journal.targets)
        except SwarmctlError as fault:
            self._left = fault.message
            return self._left
        still = Counter(service for service, task_id in found if task_id not in wanted)
        self._left = self._describe(still) if still else ""
        if not still and self.log.journal.duplicates:
            self.log.mark("duplicates-gone", "nothing runs twice any more")
        return self._left

    def _describe(self, counts: Mapping[str, int]) -> str:
        parts = [f"{n} container{'s' if n > 1 else ''} of {name}" for name, n in counts.items()]
        where = ", ".join(dict.fromkeys(target.node for target in self.log.journal.targets))
        runs = "run" if sum(counts.values()) > 1 else "runs"
        return f"{', '.join(parts)} still {runs} on {where}"
