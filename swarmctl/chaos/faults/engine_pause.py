"""engine-pause: SIGSTOP to Docker Engine: a daemon that hangs."""

from __future__ import annotations

from swarmctl.chaos.fault.engine_shell import CHECK_RUNS, MAIN_PID, REMAINS, START
from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.node_fault import NodeFault
from swarmctl.chaos.fault.node_script import NodeScript
from swarmctl.chaos.fault.registry import fault

_HUNG = """\
[ "$pid" -gt 0 ] && [ "$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat")" = T ]
"""


@fault(
    Kind(
        "engine-pause",
        summary="SIGSTOP to dockerd: the Engine hangs, its containers keep running",
        undo="SIGCONT",
        effect=Effect.DOWN,
        past_tense="was left with a hung Engine",
        keeps_running=True,
    )
)
class EnginePause(NodeFault):
    """A hung Engine; the managers mark its node Down."""

    script = NodeScript(
        action="hang the Engine of {node} (SIGSTOP to dockerd); its containers keep running",
        check=CHECK_RUNS,
        start=f'{MAIN_PID}[ "$pid" -gt 0 ]\nkill -STOP "$pid"\n',
        in_effect=MAIN_PID + _HUNG,
        undo=f'{MAIN_PID}[ "$pid" = 0 ] || kill -CONT "$pid" || :\n{START}',
        remains=f"""\
{MAIN_PID}if {_HUNG.strip()}; then echo 'dockerd is still stopped'; return; fi
{REMAINS}""",
        effect_mark=("unreachable", "the Engine of {node} hangs"),
    )
