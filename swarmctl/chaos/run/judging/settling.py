"""How long full strength must last before it is believed: pure.

A replica that crash-loops runs for a moment, again and again. Swarm itself calls a task good only
when it outlived the update's ``monitor``, and a restart when it outlived the restart policy's
``window``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from swarmctl.chaos.journal.journal import TaskRecord
from swarmctl.chaos.run.judging.judgement import Judgement
from swarmctl.swarm.model import Service, Swarm

# No service makes a run wait longer than that: there is no time after which a replica is safe.
LIMIT_S = 60.0
_FAILED = ("failed", "rejected", "complete")


def settling_s(swarm: Swarm, judgement: Judgement, tasks: Sequence[TaskRecord]) -> float:
    """Seconds that full strength must last; 0 when every replica ran on, untouched.

    Args:
        swarm: the snapshot.
        judgement: of it.
        tasks: that came up in this run.
    """
    restarted = _restarted(judgement)
    needed = (
        _of_service(service, [task for task in tasks if task.service == service.name])
        for service in swarm.services
        if service.name in restarted
    )
    return min(LIMIT_S, max(needed, default=0.0))


def outlived(
    judgement: Judgement, tasks: Sequence[TaskRecord], watched_s: float
) -> list[tuple[str, float]]:
    """Services that failed in this run after a longer life than full strength was watched.

    Args:
        judgement: of the newest snapshot.
        tasks: that came up in this run.
        watched_s: how long full strength has lasted, in seconds.

    Returns:
        Each with its longest such life, in seconds.
    """
    found = []
    for name in sorted(_restarted(judgement)):
        longest_s = max(_failed_lives(task for task in tasks if task.service == name), default=0.0)
        if longest_s > watched_s:
            found.append((name, longest_s))
    return found


def _restarted(judgement: Judgement) -> set[str]:
    return {one.service for one in judgement.services if one.replaced}


def _of_service(service: Service, tasks: Iterable[TaskRecord]) -> float:
    """Twice as long as its tasks lived that have failed in this run, and at least Swarm's time."""
    least, lives = max(service.update_monitor, service.restart.window), _failed_lives(tasks)
    return max(least, 2 * max(lives) + service.restart.delay) if lives else least


def _failed_lives(tasks: Iterable[TaskRecord]) -> list[float]:
    """How long the failed ones of these tasks had run, in seconds."""
    return [
        task.ended_s - (task.ended_s if task.running_s is None else task.running_s)
        for task in tasks
        if task.ended_s is not None and task.state in _FAILED
    ]
