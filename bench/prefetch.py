"""How long a replica needs on a node that has its image, beside one that does not.

From the managers' Down until the replacement runs, its health check passed: the restart delay
(1 s), the pull if there is one, and the start of the container.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import docker
from rich.table import Table

from bench.support import BIN, CIDR, ROOT, command, lab

STACK = ROOT / "bench" / "prefetch.yml"
SERVICE = "bench_web"
SIZES = ["-e", f"vpc_cidr={CIDR}", "-e", "managers=1", "-e", "workers=3", "-e", '{"stacks": []}']
_SWARMCTL = str(BIN / "swarmctl")


def measure(kills: int, work: Path, note: Callable[[str], None]) -> dict[str, list[float]]:
    """Seconds from Down to running, without and with the image on the node."""
    with lab() as (variables, _):
        env = os.environ | variables | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        command([str(BIN / "ansible-playbook"), "playbooks/site.yml", *SIZES], env)
        return kill_all(env, kills, work, note)


def kill_all(
    env: dict[str, str], kills: int, work: Path, note: Callable[[str], None]
) -> dict[str, list[float]]:
    """As :func:`measure`, on a Swarm with three workers that runs nothing else."""
    command([_SWARMCTL, "stack", "deploy", str(STACK), "--as", "bench", "--no-prefetch"], env)
    found: dict[str, list[float]] = {"pull": [], "prefetched": []}
    for index in range(kills):
        for kind, figures in found.items():
            note(f"prefetch: kill {index + 1} of {kills}, {kind}")
            figures.append(_kill(env, kind == "prefetched", work / f"{kind}-{index}"))
    command([_SWARMCTL, "stack", "rm", "bench"], env)
    return found


def _kill(env: dict[str, str], prefetched: bool, runs: Path) -> float:
    nodes = _status(env)
    workers = [n for n in nodes if n["role"] == "worker"]
    (idle,) = (n for n in workers if SERVICE not in n["tasks"])
    victim = next(n for n in workers if SERVICE in n["tasks"])
    if prefetched:
        command([_SWARMCTL, "image", "prefetch", SERVICE], env)
    else:
        _forget_images(env["SWARMCTL_LAB"], idle["instance"]["id"])
    command(
        [_SWARMCTL, "chaos", "run", "instance-stop", "--force", "--target", victim["name"],
         "--runs-dir", str(runs)],
        env,
    )  # fmt: skip
    (path,) = runs.glob("*/journal.json")
    journal = json.loads(path.read_text())
    down = next(mark["at_s"] for mark in journal["marks"] if mark["kind"] == "node-down")
    running = [t["running_s"] for t in journal["tasks"] if t["replacement"] and t["running_s"]]
    return float(max(running) - down)


def _status(env: Mapping[str, str]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [_SWARMCTL, "status", "--format", "json"], env=env, capture_output=True, check=True
    )
    nodes: list[dict[str, Any]] = json.loads(done.stdout)["nodes"]
    return nodes


def _forget_images(lab_name: str, instance: str) -> None:
    """Remove all images of a node that runs nothing."""
    machine = docker.from_env().containers.get(f"swarmctl-{lab_name}-{instance}")
    code, output = machine.exec_run(["docker", "image", "prune", "--all", "--force"])
    assert code == 0, output


def table(found: Mapping[str, list[float]]) -> Table:
    """Median and range, without and with the image."""
    view = Table("Down → running", "median", "least", "most", title="a replica's new node")
    for kind, seconds in found.items():
        cells = [f"{f(seconds):.2f} s" for f in (statistics.median, min, max)]
        view.add_row("has its image" if kind == "prefetched" else "has to pull", *cells)
    return view
