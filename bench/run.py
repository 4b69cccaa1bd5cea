"""``make bench``: every phase of the product beside its floor, in the same run.

Usage: python -m bench.run [NODES …]   (one manager up to 5 nodes, three above; default 4 and 12)

The product is what a user runs: ``swarmctl lab up``, the playbooks, ``swarmctl chaos run``. The
floor is ``bench/floor.py``. Both use a lab of their own, one after the other, on the same machine.
Writes ``runs/bench-<time>.json``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import docker
from rich.console import Console
from rich.table import Table

from bench import floor
from swarmctl.cluster import resolve
from swarmctl.lab import lab as labs
from swarmctl.lab.image import ensure_images

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
NAME = "bench"
CIDR = "10.45.0.0/16"
CLUSTER = "swarm_app"
VICTIM = f"{CLUSTER}_wkr2"
PHASES = ("lab up", "provision", "bootstrap", "deploy", "second run", "detect", "recover")

Times = dict[str, float]


def main(sizes: list[int]) -> None:
    """Measure each size, print the table, keep the figures."""
    console = Console()
    engine = docker.from_env()
    mirror = ensure_images(engine, console.log).registry
    results: dict[int, dict[str, Times]] = {}
    for nodes in sizes:
        managers = 1 if nodes <= 5 else 3
        with tempfile.TemporaryDirectory() as work:
            console.log(f"{nodes} nodes: product")
            product, stack = measure_product(managers, nodes - managers, Path(work))
            console.log(f"{nodes} nodes: floor")
            below = measure_floor(managers, nodes - managers, stack, mirror, Path(work))
        results[nodes] = {"product": product, "floor": below}
        console.print(table(nodes, managers, product, below))
    path = ROOT / "runs" / f"bench-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"cores": os.cpu_count(), "seconds": results}, indent=2))
    console.print(f"figures: {path.relative_to(ROOT)}")


def table(nodes: int, managers: int, product: Times, below: Times) -> Table:
    """One size as a person wants to see it."""
    view = Table("phase", "swarmctl", "floor", "ratio", title=f"{nodes} nodes, {managers} managers")
    for phase in PHASES:
        ratio = product[phase] / below[phase]
        view.add_row(phase, f"{product[phase]:.1f} s", f"{below[phase]:.1f} s", f"{ratio:.1f}")
    return view


@contextmanager
def lab() -> Iterator[tuple[dict[str, str], float]]:
    """A lab that is up: its environment, and the seconds it took."""
    command([str(BIN / "swarmctl"), "lab", "down", "--name", NAME])
    started = time.monotonic()
    command([str(BIN / "swarmctl"), "lab", "up", "--name", NAME])
    took = time.monotonic() - started
    try:
        yield labs.environment(NAME), took
    finally:
        command([str(BIN / "swarmctl"), "lab", "down", "--name", NAME])


def measure_product(managers: int, workers: int, work: Path) -> tuple[Times, floor.RecordedStack]:
    """Run what a user runs, and record the stack for the floor."""
    runs = work / "runs"
    sizes = ["-e", f"vpc_cidr={CIDR}", "-e", f"managers={managers}", "-e", f"workers={workers}"]
    times: Times = {}
    with lab() as (variables, times["lab up"]):
        env = os.environ | variables | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        for phase, playbook in (
            ("provision", "provision"),
            ("bootstrap", "swarm"),
            ("deploy", "deploy"),
            ("second run", "site"),
        ):
            started = time.monotonic()
            command([str(BIN / "ansible-playbook"), f"playbooks/{playbook}.yml", *sizes], env)
            times[phase] = time.monotonic() - started
        os.environ.update(variables)  # for resolve, below: this process uses the lab from here on
        with resolve(CLUSTER).connect() as client:
            stack = floor.record(client.docker)
        command(
            [str(BIN / "swarmctl"), "chaos", "run", "instance-stop", "--target", VICTIM,
             "--runs-dir", str(runs)],
            env,
        )  # fmt: skip
    (path,) = runs.glob("*/journal.json")
    marks = {m["kind"]: m["at_s"] for m in reversed(json.loads(path.read_text())["marks"])}
    times["detect"] = marks["node-down"] - marks["fault"]
    times["recover"] = marks["redistributed"] - marks["fault"]
    return times, stack


def measure_floor(
    managers: int, workers: int, stack: floor.RecordedStack, mirror: str, work: Path
) -> Times:
    """Do the same with ``bench/floor.py``."""
    names = [f"{CLUSTER}_mgr{n + 1}" for n in range(managers)]
    names += [f"{CLUSTER}_wkr{n + 1}" for n in range(workers)]
    times: Times = {}

    @contextmanager
    def timed(phase: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        times[phase] = time.monotonic() - started

    with timed("lab up"):
        floor.lab_up(docker.from_env(), mirror)
    with lab():
        ec2 = labs.ec2_client(NAME)
        with timed("provision"):
            nodes = floor.provision(ec2, names, CIDR, work)
        with timed("bootstrap"):
            floor.bootstrap(nodes, managers, stack)
        manager = nodes[0].engine
        with timed("deploy"):
            floor.deploy(manager, stack)
        with timed("second run"):
            floor.second_run(ec2, manager)
        victim = next(node for node in nodes if node.name == VICTIM)
        times["detect"], times["recover"] = floor.lose(ec2, manager, victim, time.monotonic)
    return times


def command(argv: list[str], env: dict[str, str] | None = None) -> None:
    """Run a command; its output is shown only when it fails."""
    done = subprocess.run(
        argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)} ended with {done.returncode}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [4, 12])
