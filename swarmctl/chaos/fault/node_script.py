"""A fault that a node inflicts on itself, written as shell, and the scripts made of it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from swarmctl.chaos.fault.fault import FaultContext

# Undo scripts go to /run if a reboot clears the fault, else to /var/lib.
UNTIL_REBOOT = "/run/swarmctl-chaos"
ACROSS_REBOOTS = "/var/lib/swarmctl-chaos"

_END_OF_UNDO = "END_OF_UNDO"
IN_FORCE = "in-force"
# One script at a time on a node. /run itself is locked: no file is left. An undo does not wait
# for ever.
_ALONE = "exec 9</run\nflock -w 30 9 || :\n"


@dataclass(frozen=True, slots=True)
class NodeScript:
    """Pieces of POSIX shell, run as root, that can use the shell variables of :func:`variables`.

    Args:
        action: what is done, in words; ``{node}``, ``{level}``, ``{delay_ms}`` and ``{sever}`` are
            filled in.
        check: prints why the node cannot have this fault; nothing if it can. Changes nothing.
        start: starts the fault; aborts at the first command that fails. May return before the
            fault has its effect.
        in_effect: exits with 0 once the fault has its effect.
        why_ended: prints why the fault may have ended by itself; nothing if that is not known.
        undo: undoes it; can be run at any time, in any state, any number of times.
        remains: prints what is not undone; nothing if all is.
        effect_mark: kind and text of the mark that is added when the fault has its effect.
        start_mark: the same for the moment ``start`` ends; ``None`` for no mark.
        silences: whether the containers have stopped once the fault has its effect.
        level: default of :class:`~swarmctl.chaos.fault.kind.Options`.
        needs_peers: whether it needs the other nodes' addresses.
        directory: where the undo script is kept.
    """

    action: str
    check: str
    start: str
    in_effect: str
    undo: str
    remains: str
    effect_mark: tuple[str, str]
    start_mark: tuple[str, str] | None = None
    silences: bool = False
    level: int = 100
    needs_peers: bool = False
    why_ended: str = ":\n"
    directory: str = UNTIL_REBOOT

    def home(self, run_id: str) -> str:
        """The run's directory on the node, which holds the undo script."""
        return f"{self.directory}/{run_id}"


def variables(script: NodeScript, context: FaultContext, peers: Sequence[str] = ()) -> str:
    """The shell variables that every piece of a script can use, as assignments.

    ``run``, ``home`` (the run's directory on the node), ``unit`` (the timer's name; the load's is
    ``$unit-load``), ``ttl`` (seconds until the auto-heal timer ends), ``level``, ``delay_ms``,
    ``peers`` and ``peers6`` (IPv4 and IPv6 addresses, separated by blanks).
    """
    values = {
        "run": context.run_id,
        "home": script.home(context.run_id),
        "unit": f"swarmctl-chaos-{context.run_id}",
        "ttl": str(math.ceil(context.ttl_s)),
        "level": str(context.options.level or script.level),
        "delay_ms": str(context.options.delay_ms),
        "peers": " ".join(p for p in peers if ip_address(p).version == 4),
        "peers6": " ".join(p for p in peers if ip_address(p).version == 6),
    }
    lines = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    return "\n".join(["export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin", *lines, ""])


def check_script(script: NodeScript, values: str) -> str:
    """Prints why a node can't have the fault."""
    return _whole(values, script.check)


def arm_script(script: NodeScript, values: str) -> str:
    """Installs the undo script and its timer, and fails unless the timer runs.

    The timer belongs to systemd: it needs neither swarmctl, nor SSH, nor the Engine. An undo script
    that fails is retried every 5 s.
    """
    return _whole(
        values,
        f"""\
set -eu
{_ALONE}umask 077
mkdir -p "$home"
cat >"$home/undo.new" <<'{_END_OF_UNDO}'
{undo_script(script, values)}{_END_OF_UNDO}
mv "$home/undo.new" "$home/undo"
systemctl stop "$unit.timer" 2>/dev/null || :
systemctl reset-failed "$unit.service" 2>/dev/null || :
systemd-run --quiet --collect --unit="$unit" --on-active="$ttl" \\
  --timer-property=AccuracySec=1s --property=Restart=on-failure --property=RestartSec=5s \\
  /bin/sh "$home/undo"
systemctl is-active --quiet "$unit.timer"
case $(systemctl show --property=NextElapseUSecMonotonic --value "$unit.timer") in
'' | 0 | infinity) echo 'the auto-heal timer is not running' >&2; exit 1 ;;
esac
""",
    )


def start_script(script: NodeScript, values: str) -> str:
    """Starts the fault, unless it was undone before this arrived: the connection may be slow."""
    armed = (
        'test -f "$home/undo" || { echo "it is undone already, or was never armed" >&2; exit 1; }'
    )
    return _whole(values, f"set -eu\n{_ALONE}{armed}\numask 077\n{script.start}")


def effect_script(script: NodeScript, values: str) -> str:
    """Exits with 0 once the fault has its effect."""
    return _whole(values, script.in_effect)


def in_force_script(script: NodeScript, values: str) -> str:
    """Prints :data:`IN_FORCE` while the fault has its effect, else why it may have ended."""
    check = f"if (\n{script.in_effect}\n) 2>/dev/null; then echo {IN_FORCE}; exit; fi\n"
    return _whole(values, f"{check}{script.why_ended}")


def undo_script(script: NodeScript, values: str) -> str:
    """The script that is left on the node: it undoes, checks, and only then tidies up."""
    return _whole(
        values,
        f"""\
{_ALONE}{script.undo}
remains() {{
{script.remains}
}}
why=$(remains)
[ -z "$why" ] || {{ echo "$why" >&2; exit 1; }}
rm -rf -- "$home"
rmdir -- "${{home%/*}}" 2>/dev/null || :
systemctl stop "$unit.timer" 2>/dev/null || :
""",
    )


def revert_script(script: NodeScript, values: str) -> str:
    """Runs the undo script that was left on the node; if it is gone, prints ``nothing`` first.

    It is gone if the timer was first, or the machine was rebooted, or nothing was started.
    """
    return _whole(
        values,
        f"""\
if [ -f "$home/undo" ]; then
  sh "$home/undo" || exit
else
  echo nothing
  sh -s <<'{_END_OF_UNDO}' || exit
{undo_script(script, values)}{_END_OF_UNDO}
fi
systemctl stop "$unit.timer" "$unit.service" 2>/dev/null || :
systemctl reset-failed "$unit.service" 2>/dev/null || :
""",
    )


def _whole(values: str, body: str) -> str:
    """The shell reads all of it before it starts: no command can consume the rest as its stdin."""
    return f"{values}{{\n{body}\n}} </dev/null\n"
