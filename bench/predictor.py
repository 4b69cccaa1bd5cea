"""Seconds and memory of the predictor by the Swarm's size; each size in a separate process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from rich.table import Table

from bench.support import ROOT

SIZES = ((10, 100), (100, 1_000), (300, 3_000), (1_000, 10_000))

# Printed by the child: seconds of parsing, of one loss, of every node in turn; peak memory in MiB.
_CHILD = """
import json, resource, sys, time
from swarmctl.prediction import Predictor
from swarmctl.swarm.parse import parse_swarm
from swarmctl.prediction.each import each
from tests.unit.scheduler.swarms import big
nodes, tasks = int(sys.argv[1]), int(sys.argv[2])
raw = big(nodes, tasks)
def timed(work):
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result
parse, snapshot = timed(lambda: parse_swarm(raw))
predictor = Predictor(snapshot)
one, _ = timed(lambda: predictor.predict([snapshot.nodes[-1].id]))
every, _ = timed(lambda: each(Predictor(snapshot)))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"parse": parse, "one": one, "each": every, "mib": peak}))
"""


def measure(note: Callable[[str], None]) -> dict[str, dict[str, float]]:
    """Measure every size once: ``{"1000x10000": {"parse": …, "one": …, "each": …, "mib": …}}``."""
    found = {}
    for nodes, tasks in SIZES:
        note(f"predictor: {nodes} nodes, {tasks} tasks")
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, str(nodes), str(tasks)],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        figures: dict[str, float] = json.loads(done.stdout)
        found[f"{nodes}x{tasks}"] = figures
    return found


def table(found: dict[str, Any]) -> Table:
    """The figures as a table, one row a size."""
    view = Table("nodes x tasks", "parse", "one loss", "--each", "peak memory", title="predictor")
    for size, figures in found.items():
        seconds = [f"{figures[name]:.2f} s" for name in ("parse", "one", "each")]
        view.add_row(size, *seconds, f"{figures['mib']:.0f} MiB")
    return view
