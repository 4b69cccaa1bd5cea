"""engine-stop: stop Docker Engine."""

from __future__ import annotations

from swarmctl.chaos.fault.engine_shell import CHECK_RUNS, MAIN_PID, REMAINS, START
from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.node_fault import NodeFault
from swarmctl.chaos.fault.node_script import NodeScript
from swarmctl.chaos.fault.registry import fault


@fault(
    Kind(
        "engine-stop",
        summary="systemctl stop docker: the Engine and its containers shut down cleanly",
        undo="systemctl start docker",
        effect=Effect.DOWN,
        past_tense="was left without its Engine",
    )
)
class EngineStop(NodeFault):
    """A clean shutdown of the Engine and of its containers."""

    script = NodeScript(
        action="stop the Engine of {node} (systemctl stop docker)",
        check=CHECK_RUNS,
        # Its containers get 10 s to end: the run observes that instead of blocking here.
        start="systemctl stop --no-block docker.socket 2>/dev/null || :\n"
        "systemctl stop --no-block docker.service\n",
        in_effect=f'{MAIN_PID}[ "$pid" = 0 ]\n',
        undo=START,
        remains=REMAINS,
        effect_mark=("unreachable", "the Engine of {node} has stopped"),
        silences=True,
    )
