"""cpu: keep the processors of the node busy."""

from __future__ import annotations

from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.load_shell import (
    LOAD_FUNCTION,
    LOAD_REMAINS,
    LOAD_RUNS,
    LOAD_WHY_ENDED,
    STOP_LOAD,
)
from swarmctl.chaos.fault.node_fault import NodeFault
from swarmctl.chaos.fault.node_script import NodeScript
from swarmctl.chaos.fault.registry import fault


@fault(
    Kind(
        "cpu",
        summary="keeps the processors busy, --level per cent of the time (100)",
        undo="stop the load",
        effect=Effect.STAYS,
        past_tense="was under CPU load",
        option_names=("level",),
    )
)
class Cpu(NodeFault):
    """CPU load; below 100 %, every processor is busy for a part of each 200 ms."""

    script = NodeScript(
        action="keep {level} % of the processors of {node} busy",
        check=":\n",
        start=f"""\
{LOAD_FUNCTION}
load "$level" <<'END_OF_LOAD'
busy=$(printf 0.%03d $(($1 * 2)))
idle=$(printf 0.%03d $((200 - $1 * 2)))
burn() {{
  [ "$1" -lt 100 ] || while :; do :; done
  while :; do
    timeout "$busy" sh -c 'while :; do :; done'
    sleep "$idle"
  done
}}
for _ in $(seq "$(nproc)"); do burn "$1" & done
wait
END_OF_LOAD
""",
        in_effect=f"{LOAD_RUNS}\n",
        undo=STOP_LOAD,
        remains=LOAD_REMAINS,
        why_ended=LOAD_WHY_ENDED,
        effect_mark=("pressed", "{level} % of the processors of {node} are kept busy"),
    )
