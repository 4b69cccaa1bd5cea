"""engine-kill: SIGKILL to Docker Engine; systemd starts it again."""

from __future__ import annotations

from swarmctl.chaos.fault.engine_shell import CHECK_RUNS, MAIN_PID, REMAINS, START
from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.node_fault import NodeFault
from swarmctl.chaos.fault.node_script import NodeScript
from swarmctl.chaos.fault.registry import fault


@fault(
    Kind(
        "engine-kill",
        summary="SIGKILL to dockerd: the Engine crashes",
        undo="systemd starts it again; the run waits for it",
        effect=Effect.RETURNS,
        past_tense="was left without its Engine for a moment",
    )
)
class EngineKill(NodeFault):
    """A crash of the Engine, which systemd restarts."""

    script = NodeScript(
        action="kill the Engine of {node} (SIGKILL to dockerd)",
        check=f"""\
{CHECK_RUNS}
case $(systemctl show --property=Restart --value docker.service) in
always | on-failure | on-abnormal | on-abort) ;;
*) echo 'systemd would not start docker.service again: it has no Restart=' ;;
esac
""",
        start=f"""\
{MAIN_PID}[ "$pid" -gt 0 ]
echo "$pid" >"$home/pid"
kill -KILL "$pid"
for _ in 1 2 3 4 5 6 7 8 9 10; do
  [ -e "/proc/$pid" ] || exit 0
  sleep 0.2
done
echo "dockerd ($pid) does not end" >&2
exit 1
""",
        in_effect=f"""\
{MAIN_PID}[ "$pid" -gt 0 ] && [ "$pid" != "$(cat "$home/pid")" ] &&
  timeout 3 docker version >/dev/null 2>&1
""",
        undo=START,
        remains=REMAINS,
        start_mark=("unreachable", "the Engine of {node} is dead"),
        effect_mark=("engine-back", "the Engine of {node} answers again"),
    )
