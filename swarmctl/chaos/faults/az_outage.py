"""az-outage: all nodes of an availability zone lose power at the same moment."""

from __future__ import annotations

from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.power_fault import STARTED_AGAIN, PowerFault
from swarmctl.chaos.fault.registry import fault
from swarmctl.chaos.fault.selection import Selection


@fault(
    Kind(
        "az-outage",
        summary="all nodes of an availability zone lose power at the same moment",
        undo=STARTED_AGAIN,
        effect=Effect.DOWN,
        past_tense="was lost",
        selection=Selection(percent=100),
        stops=True,
        needs_zone=True,
    )
)
class AzOutage(PowerFault):
    """A power cut of every node in the zone."""
