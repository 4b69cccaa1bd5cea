"""latency: delay packets to the other nodes."""

from __future__ import annotations

from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.netem import netem_script
from swarmctl.chaos.fault.node_fault import NodeFault
from swarmctl.chaos.fault.registry import fault


@fault(
    Kind(
        "latency",
        summary="delays packets to the other nodes by --delay milliseconds (200)",
        undo="remove the queue",
        effect=Effect.STAYS,
        past_tense="was slowed down",
        option_names=("delay_ms",),
        impairs_network=True,
    )
)
class Latency(NodeFault):
    """Slow outgoing packets."""

    script = netem_script(
        "delay ${delay_ms}ms",
        action="delay packets from {node} to {sever} by {delay_ms} ms (tc netem)",
        effect="packets from {node} to {sever} are delayed by {delay_ms} ms",
    )
