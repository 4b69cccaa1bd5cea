"""Many kills in sequence: the time until a lost worker is detected and its replicas run again.

SwarmKit's own timing is the lower bound. A node is marked Down three heartbeats after its last one
(moby/swarmkit manager/dispatcher/period.go and dispatcher.go, ``gracePeriodMultiplier``), and the
last one came up to one heartbeat before the fault: 2 to 3 heartbeats, on average 2.5. Replicas then
wait for the service's restart delay. No tool can make that faster.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.support import BIN, CIDR, CLUSTER, ROOT, command, lab

HEARTBEATS_S = (5, 1)
GRACE = 3
# Not the database's node: the database cannot move.
VICTIMS = (f"{CLUSTER}_wkr2", f"{CLUSTER}_wkr3")
SIZES = ["-e", f"vpc_cidr={CIDR}", "-e", "managers=1", "-e", "workers=4"]


@dataclass(frozen=True)
class Kill:
    """One run's figures, in seconds.

    Attributes:
        detect: from the fault until the managers' own record says Down.
        recover: from the fault until every replica served.
        lag: from the managers' record until swarmctl saw it.
        lost: probes without a good answer.
        moved: replicas that ran on the node.
    """

    detect: float
    recover: float
    lag: float
    lost: int
    moved: int


def measure(kills: int, work: Path, note: Callable[[str], None]) -> dict[int, list[Kill]]:
    """Kill workers, ``kills`` times at each heartbeat; the journals are written to ``work``."""
    found: dict[int, list[Kill]] = {}
    with lab() as (variables, _):
        env = os.environ | variables | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        for heartbeat in HEARTBEATS_S:
            note(f"{kills} kills at a heartbeat of {heartbeat} s")
            more = [*SIZES, "-e", f"swarm_dispatcher_heartbeat={heartbeat}"]
            command([str(BIN / "ansible-playbook"), "playbooks/site.yml", *more], env)
            runs = work / f"heartbeat-{heartbeat}"
            for index in range(kills):
                victim = VICTIMS[index % len(VICTIMS)]
                # Swarm moves no task to a node that came back: it must be filled before a kill.
                command([str(BIN / "swarmctl"), "rebalance", "--yes"], env)
                command(
                    [str(BIN / "swarmctl"), "chaos", "run", "instance-stop", "--force",
                     "--target", victim, "--runs-dir", str(runs)],
                    env,
                )  # fmt: skip
            paths = sorted(runs.glob("*/journal.json"))
            found[heartbeat] = [figures_of(path) for path in paths]
    return found


def figures_of(path: Path) -> Kill:
    """The figures of one run, from its journal."""
    journal = json.loads(path.read_text())
    marks = {mark["kind"]: mark["at_s"] for mark in reversed(journal["marks"])}
    return Kill(
        detect=marks["node-down"] - marks["fault"],
        recover=marks["redistributed"] - marks["fault"],
        lag=max(journal["lag_s"][:1], default=0.0),
        lost=sum(probe["lost"] for probe in journal["probes"]),
        moved=sum(service["lost"] for service in journal["verdict"]["services"]),
    )


def table(heartbeat: int, kills: Sequence[Kill]) -> Table:
    """Medians and ranges of one heartbeat, beside the theory."""
    title = f"{len(kills)} kills, heartbeat {heartbeat} s"
    view = Table("", "median", "least", "most", "theory", title=title)
    low, high = (GRACE - 1) * heartbeat, GRACE * heartbeat
    theory = {"detect": f"{low} to {high} s", "lag": "0"}
    for name in ("detect", "recover", "lag"):
        values = [getattr(kill, name) for kill in kills]
        cells = [f"{f(values):.2f} s" for f in (statistics.median, min, max)]
        view.add_row(name, *cells, theory.get(name, "detect + restart delay (1 s) + start"))
    view.add_row("probes lost, total", "", "", str(sum(kill.lost for kill in kills)), "")
    moved = [kill.moved for kill in kills]
    view.add_row("replicas moved", *(f"{f(moved):g}" for f in (statistics.median, min, max)), "")
    return view


def as_json(found: dict[int, list[Kill]]) -> dict[str, Any]:
    """The figures for the results file."""
    return {str(heartbeat): [asdict(kill) for kill in kills] for heartbeat, kills in found.items()}
