"""What faults left on the nodes themselves: one script a node, over SSH, and what its report.

The script only reports. It finds what :mod:`swarmctl.chaos.fault.node_script` leaves, by
their names, so it needs no journal and no run id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from swarmctl.chaos.fault.node_script import ACROSS_REBOOTS, UNTIL_REBOOT
from swarmctl.chaos.world.protocols import Shell
from swarmctl.errors import SwarmctlError
from swarmctl.reading.commands import on_node, word

TIMEOUT_S = 10.0
_AT_ONCE = 16
_PREFIX = "swarmctl-chaos-"
_PATH = "export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"

# One thing a line, its words between tabs; the last line proves that the output is complete.
SCRIPT = f"""\
{_PATH}{{
say() {{ printf '%s' "$1"; shift; printf '\\t%s' "$@"; echo; }}
say now "$(date +%s)"
for home in {UNTIL_REBOOT}/* {ACROSS_REBOOTS}/*; do
  [ -d "$home" ] || continue
  if [ -f "$home/undo" ]; then undo=undo; else undo=; fi
  say run "$home" "$(stat -c %Y "$home")" "$undo"
done
systemctl list-units --all --plain --no-legend --full '{_PREFIX}*' |
  while read -r unit _ state _; do
    say unit "$unit" "$state"
  done
say timers "$(systemctl list-timers --all --output=json '{_PREFIX}*' 2>/dev/null | tr -d '\\n')"
nft list tables 2>/dev/null | while read -r _ family name; do
  case $name in chaos_*) say table "$family" "$name" ;; esac
done
tc qdisc show 2>/dev/null | while read -r _ kind handle _ device where _; do
  case "$kind $handle $where" in 'prio 7a: root') say queue "$device" ;; esac
done
for file in /var/lib/docker/{_PREFIX}* /etc/tmpfiles.d/{_PREFIX}*.conf; do
  [ -f "$file" ] && say file "$file" "$(stat -c %Y "$file")"
done
state=$(systemctl show --property=ActiveState --value docker.service)
pid=$(systemctl show --property=MainPID --value docker.service)
if [ "$(systemctl show --property=LoadState --value docker.service)" != loaded ]; then
  state=none
elif [ "${{pid:-0}}" -gt 0 ] && [ "$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat")" = T ]; then
  state=hung
fi
say engine "$state"
say end .
}} </dev/null
"""


@dataclass(slots=True)
class Trace:
    """What one run left on one node.

    Args:
        run: the run's id; ``""`` where the thing itself does not tell.
        home: the directory that holds the undo script; ``""`` if there is none.
        undo: whether that script is there.
        since: when it was put there, by this machine's clock.
        heals_at: when the node will heal by itself; ``None`` when no timer ticks.
        things: what is there, in words.
        by_hand: the commands on the node that remove the things one by one.
    """

    run: str
    home: str = ""
    undo: bool = False
    since: datetime | None = None
    heals_at: datetime | None = None
    things: list[str] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)

    def words(self, *more: str) -> str:
        """What is there, and whether it goes away by itself.

        Args:
            more: what else this run has done there.
        """
        things = [*more, *self.things]
        if self.home:
            things.append("its undo script" if self.undo else f"{self.home} without undo script")
        end = (
            f"heals by itself at {self.heals_at:%H:%M:%S} UTC"
            if self.heals_at
            else "no timer ticks, it does not heal by itself"
        )
        return f"left by {self.run or 'a run'}: {', '.join(things) or 'its timer'}; {end}"

    def remove_command(self, node: str) -> str:
        """The command that removes it from that node."""
        home = [f"rm -r {word(self.home)}"] if self.home else []
        commands = [f"sh {word(f'{self.home}/undo')}"] if self.undo else [*self.by_hand, *home]
        return on_node(node, word(" && ".join(f"sudo {text}" for text in commands)))


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What was seen on a node; ``engine`` is its unit's state, ``hung``, or ``none``."""

    traces: tuple[Trace, ...] = ()
    engine: str = "active"


def inspect(
    shell: Shell, nodes: Collection[str], now: datetime
) -> tuple[Mapping[str, NodeReport], Mapping[str, SwarmctlError]]:
    """Inspect all of these nodes (hostnames) at the same time.

    Returns:
        By hostname: the reports, and the errors of the nodes that gave none.
    """

    def ask(node: str) -> NodeReport | SwarmctlError:
        try:
            return parse(shell.run(node, SCRIPT, TIMEOUT_S), now)
        except SwarmctlError as fault:
            return fault

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        found = dict(zip(nodes, pool.map(ask, nodes), strict=True))
    seen = {node: answer for node, answer in found.items() if isinstance(answer, NodeReport)}
    return seen, {
        node: answer for node, answer in found.items() if not isinstance(answer, NodeReport)
    }


def heal(home: str, run: str) -> str:
    """The script that heals a node by the undo script that was left there. No script: nothing."""
    return f"""\
{_PATH}home={word(home)}
unit={word(_PREFIX + run)}
{{
[ -f "$home/undo" ] || exit 0
sh "$home/undo" || exit
systemctl stop "$unit.timer" "$unit.service" 2>/dev/null || :
systemctl reset-failed "$unit.service" 2>/dev/null || :
}} </dev/null
"""


def parse(text: str, now: datetime) -> NodeReport:
    """Read the script's output.

    Args:
        now: this machine's time; the node's clock may differ.

    Raises:
        SwarmctlError: it was cut short, or is none.
    """
    lines = [line.split("\t") for line in text.splitlines()]
    if not lines or lines[-1] != ["end", "."]:
        raise SwarmctlError("its answer was cut short")
    parser = _Parser(now)
    try:
        for kind, *words in lines:
            parser.read(kind, words)
    except (ValueError, TypeError, KeyError) as fault:
        raise SwarmctlError(f"cannot read its answer: {fault}") from fault
    return parser.report()


class _Parser:
    """Gathers the script's lines by the run they belong to."""

    def __init__(self, now: datetime) -> None:
        self._ours, self._skew = now, timedelta()
        self._traces: dict[str, Trace] = {}
        self._queues: list[str] = []
        self._state = "active"

    def read(self, kind: str, words: Sequence[str]) -> None:
        """One line; a kind of line is a method."""
        known: dict[str, Callable[..., None]] = {
            "now": self._now,
            "run": self._run,
            "unit": self._unit,
            "timers": self._timers,
            "table": self._table,
            "queue": self._queues.append,
            "file": self._file,
            "engine": self._engine,
        }
        if kind in known:
            known[kind](*words)

    def report(self) -> NodeReport:
        """What all the lines say together."""
        for device in self._queues:
            # A queue does not name its run; there can be one only.
            slow = [r for r in self._traces if r.endswith(("-latency", "-loss"))]
            self._add(
                slow[0] if len(slow) == 1 else "",
                f"a queue that delays or loses packets on {device}",
                f"tc qdisc del dev {word(device)} root",
            )
        return NodeReport(tuple(self._traces[run] for run in sorted(self._traces)), self._state)

    def _trace(self, run: str) -> Trace:
        return self._traces.setdefault(run, Trace(run))

    def _add(self, run: str, thing: str, by_hand: str) -> None:
        trace = self._trace(run)
        trace.things.append(thing)
        trace.by_hand.append(by_hand)

    def _now(self, seconds: str) -> None:
        self._skew = self._ours - datetime.fromtimestamp(int(seconds), UTC)

    def _moment(self, seconds: float) -> datetime:
        return datetime.fromtimestamp(seconds, UTC) + self._skew

    def _run(self, home: str, changed: str, undo: str = "") -> None:
        trace = self._trace(home.rpartition("/")[2])
        trace.home, trace.undo, trace.since = home, bool(undo), self._moment(int(changed))

    def _unit(self, unit: str, state: str) -> None:
        name, _, kind = unit.removeprefix(_PREFIX).rpartition(".")
        run = name.removesuffix("-load")
        if run != name:
            self._add(run, "its load" if state == "active" else f"its load ({state})", _stop(unit))
        elif kind == "timer":
            self._trace(run).by_hand.append(_stop(unit))
        elif state != "inactive":
            self._add(run, f"its undo script ({state})", _stop(unit))

    def _timers(self, listed: str) -> None:
        # Before systemd 249 there is no JSON, and no more is known than that there is a timer.
        timers = json.loads(listed) if listed.startswith("[") else []
        for timer in timers:
            run = str(timer["unit"]).removeprefix(_PREFIX).removesuffix(".timer")
            if timer["next"]:
                self._trace(run).heals_at = self._moment(timer["next"] / 1e6)

    def _table(self, family: str, name: str) -> None:
        # Names of tables have no hyphens, names of runs have no underscores.
        run = name.removeprefix("chaos_").replace("_", "-")
        self._add(run, f"packet filters (table {name})", f"nft delete table {family} {name}")

    def _file(self, path: str, changed: str) -> None:
        run = re.sub(r"^.*/" + _PREFIX + r"|\.conf$", "", path)
        self._add(run, path, f"rm {word(path)}")
        trace = self._trace(run)
        trace.since = trace.since or self._moment(int(changed))

    def _engine(self, state: str) -> None:
        self._state = state


def _stop(unit: str) -> str:
    return f"systemctl stop {word(unit)}"
