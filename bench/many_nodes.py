"""One command makes a Swarm of many nodes; the same command again; a worker killed there.

A repeated run should cost the same at every size: EC2 and one manager confirm the nodes.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.kills import Kill, figures_of
from bench.phases import managers_of
from bench.support import BIN, CIDR, ROOT, VICTIM, command, lab

SLOWEST = 5
_STEP = re.compile(r"^[✓●] (.+?)(?:: changed)?\s+(?:(\d+) min )?([\d.]+) s$", re.MULTILINE)

Steps = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class ManyNodes:
    """One Swarm's figures; times in seconds.

    Attributes:
        nodes: managers and workers.
        first: ``site.yml`` from nothing, with machines that boot.
        again: ``site.yml`` once more, which must change nothing.
        slowest, slowest_again: the steps of each run that took longest.
        kill: one worker stopped with force.
    """

    nodes: int
    first: float
    again: float
    slowest: Steps
    slowest_again: Steps
    kill: Kill


def measure(nodes: int, work: Path, note: Callable[[str], None]) -> ManyNodes:
    """Make a Swarm of so many nodes in a lab of its own; the journal is written to ``work``."""
    managers = managers_of(nodes)
    counts = ["-e", f"managers={managers}", "-e", f"workers={nodes - managers}"]
    site = [str(BIN / "ansible-playbook"), "playbooks/site.yml", "-e", f"vpc_cidr={CIDR}", *counts]
    with lab() as (variables, _):
        env = os.environ | variables | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        note(f"{nodes} nodes: from nothing")
        first, said = _timed(site, env)
        note(f"{nodes} nodes: again")
        again, said_again = _timed(site, env)
        if "Nothing changed." not in said_again:
            raise SystemExit(f"the second run changed something:\n{said_again}")
        command([str(BIN / "swarmctl"), "status", "--check"], env)
        note(f"{nodes} nodes: a worker is killed")
        command(
            [str(BIN / "swarmctl"), "chaos", "run", "instance-stop", "--force",
             "--target", VICTIM, "--runs-dir", str(work)],
            env,
        )  # fmt: skip
    (journal,) = work.glob("*/journal.json")
    kill = figures_of(journal)
    return ManyNodes(nodes, first, again, _slowest(said), _slowest(said_again), kill)


def _timed(argv: list[str], env: dict[str, str]) -> tuple[float, str]:
    started = time.monotonic()
    said = command(argv, env)
    return time.monotonic() - started, said


def _slowest(said: str) -> Steps:
    steps = ((s[1], 60 * int(s[2] or 0) + float(s[3])) for s in _STEP.finditer(said))
    return tuple(sorted(steps, key=lambda step: -step[1])[:SLOWEST])


def table(found: ManyNodes) -> Table:
    """One size's figures."""
    view = Table("", "seconds", title=f"{found.nodes} nodes with one command")
    for run, took, steps in (
        ("site.yml from nothing", found.first, found.slowest),
        ("site.yml again, changed=0", found.again, found.slowest_again),
    ):
        view.add_row(run, f"{took:.1f}")
        for step, seconds in steps:
            view.add_row(f"  {step}", f"{seconds:.1f}")
    kill = found.kill
    view.add_row("a worker killed: noticed", f"{kill.detect:.1f}")
    view.add_row(f"{kill.moved} replicas serve again", f"{kill.recover:.1f}")
    view.add_row("probes lost", str(kill.lost))
    return view


def as_json(found: ManyNodes) -> dict[str, Any]:
    """The figures for the results file."""
    return asdict(found)
