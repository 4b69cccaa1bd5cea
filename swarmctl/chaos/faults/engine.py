"""The Engine on a node: stopped, killed, or hung."""

from __future__ import annotations

from swarmctl.chaos.faults.recipe import Recipe

_PID = "pid=$(systemctl show --property=MainPID --value docker.service)\n"

_RUNS = """\
systemctl is-active --quiet docker.service || echo 'docker.service is not active'
"""

# The socket first: a running service refuses to be given one. A unit that was killed too often is
# "failed", and is started only after that is forgotten.
_START = """\
systemctl reset-failed docker.service 2>/dev/null || :
systemctl is-active --quiet docker.service || systemctl start docker.socket 2>/dev/null || :
systemctl start docker.service || :
"""

_HEALED = """\
systemctl is-active --quiet docker.service || { echo 'docker.service is not active'; return; }
timeout 10 docker version >/dev/null 2>&1 || echo 'the Engine does not answer'
"""

_HUNG = """\
[ "$pid" -gt 0 ] && [ "$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat")" = T ]
"""

ENGINE_STOP = Recipe(
    does="stop the Engine of {node} (systemctl stop docker)",
    undone="start it",
    possible=_RUNS,
    # Its containers are given 10 s to end; that is watched, not waited for.
    begin="systemctl stop --no-block docker.socket 2>/dev/null || :\n"
    "systemctl stop --no-block docker.service\n",
    holds=f'{_PID}[ "$pid" = 0 ]\n',
    undo=_START,
    healed=_HEALED,
    held=("unreachable", "the Engine of {node} has stopped"),
)

ENGINE_KILL = Recipe(
    does="kill the Engine of {node} (SIGKILL to dockerd)",
    undone="systemd starts it again; that is awaited",
    possible=f"""\
{_RUNS}
case $(systemctl show --property=Restart --value docker.service) in
always | on-failure | on-abnormal | on-abort) ;;
*) echo 'systemd would not start docker.service again: it has no Restart=' ;;
esac
""",
    begin=f"""\
{_PID}[ "$pid" -gt 0 ]
echo "$pid" >"$home/pid"
kill -KILL "$pid"
for _ in 1 2 3 4 5 6 7 8 9 10; do
  [ -e "/proc/$pid" ] || exit 0
  sleep 0.2
done
echo "dockerd ($pid) does not go" >&2
exit 1
""",
    holds=f"""\
{_PID}[ "$pid" -gt 0 ] && [ "$pid" != "$(cat "$home/pid")" ] &&
  timeout 3 docker version >/dev/null 2>&1
""",
    undo=_START,
    healed=_HEALED,
    begun=("unreachable", "the Engine of {node} is dead"),
    held=("engine-back", "the Engine of {node} answers again"),
)

ENGINE_PAUSE = Recipe(
    does="hang the Engine of {node} (SIGSTOP to dockerd); its containers run on",
    undone="SIGCONT",
    possible=_RUNS,
    begin=f'{_PID}[ "$pid" -gt 0 ]\nkill -STOP "$pid"\n',
    holds=_PID + _HUNG,
    undo=f'{_PID}[ "$pid" = 0 ] || kill -CONT "$pid" || :\n{_START}',
    healed=f"{_PID}if {_HUNG.strip()}; then echo 'dockerd is still stopped'; return; fi\n{_HEALED}",
    held=("unreachable", "the Engine of {node} hangs"),
)
