"""leader-kill: the leader loses power; the other managers elect a new one."""

from __future__ import annotations

from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.power_fault import STARTED_AGAIN, PowerFault
from swarmctl.chaos.fault.registry import fault
from swarmctl.chaos.fault.selection import Selection


@fault(
    Kind(
        "leader-kill",
        summary="the leader loses power; the other managers elect a new one",
        undo=STARTED_AGAIN,
        effect=Effect.DOWN,
        past_tense="was lost",
        selection=Selection(leader=True),
        stops=True,
    )
)
class LeaderKill(PowerFault):
    """A power cut of the manager that leads when the run begins."""
