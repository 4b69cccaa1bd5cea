"""memory: fill the memory of the node."""

from __future__ import annotations

from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.load_shell import LOAD_FUNCTION, LOAD_REMAINS, LOAD_WHY_ENDED, STOP_LOAD
from swarmctl.chaos.fault.node_fault import NodeFault
from swarmctl.chaos.fault.node_script import NodeScript
from swarmctl.chaos.fault.registry import fault

# In KiB. At least 128 MiB stay available, whatever the level: sshd must be able to answer.
_SIZES = """\
of() { awk -v name="$1:" '$1 == name { print $2 }' /proc/meminfo; }
total=$(of MemTotal) left=$(of MemAvailable)
keep=$((total * (100 - level) / 100))
[ "$keep" -ge 131072 ] || keep=131072
fill=$((left - keep))
"""


@fault(
    Kind(
        "memory",
        summary="fills the memory to --level per cent (90); 128 MiB stay free",
        undo="free the memory",
        effect=Effect.STAYS,
        past_tense="was short of memory",
        option_names=("level",),
    )
)
class Memory(NodeFault):
    """Memory pressure."""

    script = NodeScript(
        action="fill the memory of {node} to {level} %",
        check=f"""\
{_SIZES}
[ "$fill" -ge 1024 ] || echo "$((100 - left * 100 / total)) % of its memory is already in use"
""",
        # dd reads one block of that size, then blocks on the pipe and keeps the memory.
        start=f"""\
{LOAD_FUNCTION}{_SIZES}
echo "$fill" >"$home/fill"
load "$fill" "$ttl" "$home/pid" <<'END_OF_LOAD'
sh -c 'echo $$ >"$1"; exec dd if=/dev/zero bs="$2" count=1 iflag=fullblock' sh "$3" "$1K" |
  sleep "$2"
END_OF_LOAD
""",
        in_effect="""\
held=$(awk '/^Vm(RSS|Swap):/ { sum += $2 } END { print sum }' "/proc/$(cat "$home/pid")/status")
[ "$((held * 10))" -ge "$(($(cat "$home/fill") * 9))" ]
""",
        undo=STOP_LOAD,
        remains=LOAD_REMAINS,
        why_ended=LOAD_WHY_ENDED,
        effect_mark=("pressed", "the memory of {node} is {level} % full"),
        level=90,
    )
