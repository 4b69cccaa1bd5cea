"""A fault that a node does to itself, written as shell; and the scripts that are made of it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from swarmctl.chaos.faults.base import Setting

# What a reboot heals is forgotten by a reboot; what it doesn't is not.
VOLATILE = "/run/swarmctl-chaos"
LASTING = "/var/lib/swarmctl-chaos"

_END_OF_UNDO = "END_OF_UNDO"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Pieces of POSIX shell, run as root. All of them know the variables of :func:`prelude`.

    Args:
        does: what is done, one line; ``{node}``, ``{level}``, ``{delay_ms}`` and ``{sever}`` are
            filled in.
        undone: how it is undone, a few words.
        possible: prints why the node cannot do it; nothing when it can. Touches nothing.
        begin: does it; a command that fails ends it. May return before it has its effect.
        holds: exits with 0 once it has its effect.
        undo: takes it back; may be run at any time, in any state, any number of times.
        healed: prints what is not as it was; nothing when all is well.
        held: kind and text of the mark that is made when it has its effect.
        begun: the same for the moment ``begin`` ends; empty for none.
        level: of :class:`~swarmctl.chaos.faults.Options`, unless the user says otherwise.
        peers: whether it is about the other nodes' addresses.
        keep: the directory the undo script is kept under.
    """

    does: str
    undone: str
    possible: str
    begin: str
    holds: str
    undo: str
    healed: str
    held: tuple[str, str]
    begun: tuple[str, str] | None = None
    level: int = 100
    peers: bool = False
    keep: str = VOLATILE

    def home(self, run_id: str) -> str:
        """The directory on the node that holds the undo script."""
        return f"{self.keep}/{run_id}"


def prelude(recipe: Recipe, setting: Setting, peers: Sequence[str] = ()) -> str:
    """The variables every piece of a recipe knows.

    ``run``, ``home`` (the run's directory on the node), ``unit`` (the timer's name; the load's is
    ``$unit-load``), ``ttl`` (seconds until the node heals by itself), ``level``, ``delay_ms``,
    ``peers`` and ``peers6`` (IPv4 and IPv6 addresses, between blanks).
    """
    values = {
        "run": setting.run_id,
        "home": recipe.home(setting.run_id),
        "unit": f"swarmctl-chaos-{setting.run_id}",
        "ttl": str(math.ceil(setting.ttl_s)),
        "level": str(setting.options.level or recipe.level),
        "delay_ms": str(setting.options.delay_ms),
        "peers": " ".join(p for p in peers if ip_address(p).version == 4),
        "peers6": " ".join(p for p in peers if ip_address(p).version == 6),
    }
    lines = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    return "\n".join(["export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin", *lines, ""])


def possible(recipe: Recipe, variables: str) -> str:
    """The script that prints why a node can't do it."""
    return _script(variables, recipe.possible)


def arm(recipe: Recipe, variables: str) -> str:
    """The script that puts the undo script and its timer in place, and fails if it does not tick.

    The timer is systemd's own: it needs neither swarmctl, nor SSH, nor the Engine. If the undo
    script does not succeed it is tried again every 5 s.
    """
    return _script(
        variables,
        f"""\
set -eu
umask 077
mkdir -p "$home"
cat >"$home/undo.new" <<'{_END_OF_UNDO}'
{undo(recipe, variables)}{_END_OF_UNDO}
mv "$home/undo.new" "$home/undo"
systemctl stop "$unit.timer" 2>/dev/null || :
systemctl reset-failed "$unit.service" 2>/dev/null || :
systemd-run --quiet --collect --unit="$unit" --on-active="$ttl" \\
  --timer-property=AccuracySec=1s --property=Restart=on-failure --property=RestartSec=5s \\
  /bin/sh "$home/undo"
systemctl is-active --quiet "$unit.timer"
case $(systemctl show --property=NextElapseUSecMonotonic --value "$unit.timer") in
'' | 0 | infinity) echo 'the timer that is to heal this node does not tick' >&2; exit 1 ;;
esac
""",
    )


def begin(recipe: Recipe, variables: str) -> str:
    """The script that does it."""
    return _script(variables, f"set -eu\numask 077\n{recipe.begin}")


def holds(recipe: Recipe, variables: str) -> str:
    """The script that exits with 0 once the fault has its effect."""
    return _script(variables, recipe.holds)


def undo(recipe: Recipe, variables: str) -> str:
    """The script that is left on the node: undo, look, and only then tidy up."""
    return _script(
        variables,
        f"""\
{recipe.undo}
healed() {{
{recipe.healed}
}}
why=$(healed)
[ -z "$why" ] || {{ echo "$why" >&2; exit 1; }}
rm -rf -- "$home"
rmdir -- "${{home%/*}}" 2>/dev/null || :
systemctl stop "$unit.timer" 2>/dev/null || :
""",
    )


def heal(recipe: Recipe, variables: str) -> str:
    """The script a revert sends: the one that was left there, or the same anew.

    It says ``nothing`` when there was nothing left to undo: the timer was first, or the machine
    was rebooted, or nothing had begun.
    """
    return _script(
        variables,
        f"""\
if [ -f "$home/undo" ]; then
  sh "$home/undo" || exit
else
  echo nothing
  sh -s <<'{_END_OF_UNDO}' || exit
{undo(recipe, variables)}{_END_OF_UNDO}
fi
systemctl stop "$unit.timer" "$unit.service" 2>/dev/null || :
systemctl reset-failed "$unit.service" 2>/dev/null || :
""",
    )


def _script(variables: str, body: str) -> str:
    """Read whole before it begins, so that no command can swallow what follows it."""
    return f"{variables}{{\n{body}\n}} </dev/null\n"
