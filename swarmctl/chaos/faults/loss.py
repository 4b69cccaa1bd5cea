"""loss: drop a share of the packets to the other nodes."""

from __future__ import annotations

from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.netem import netem_script
from swarmctl.chaos.fault.node_fault import NodeFault
from swarmctl.chaos.fault.registry import fault


@fault(
    Kind(
        "loss",
        summary="drops --level per cent of the packets to the other nodes (10)",
        undo="remove the queue",
        effect=Effect.STAYS,
        past_tense="was losing packets",
        option_names=("level",),
        impairs_network=True,
    )
)
class Loss(NodeFault):
    """Random packet loss."""

    script = netem_script(
        "loss ${level}%",
        action="drop {level} % of the packets from {node} to {sever} (tc netem)",
        effect="{level} % of the packets from {node} to {sever} are dropped",
        level=10,
    )
