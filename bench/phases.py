"""Every phase of the product beside its floor, in the same run.

The product is what a user runs: ``swarmctl lab up``, the playbooks, ``swarmctl chaos run``. The
floor is ``bench/floor.py``. Both use a lab of their own, one after the other, on the same machine.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
from rich.table import Table

from bench import floor
from bench.support import BIN, CIDR, CLUSTER, NAME, ROOT, VICTIM, command, lab
from swarmctl.cluster import resolve
from swarmctl.lab import lab as labs

PHASES = ("lab up", "provision", "bootstrap", "deploy", "second run", "detect", "recover")

Times = dict[str, float]


def measure(nodes: int, mirror: str, note: Callable[[str], None]) -> dict[str, Times]:
    """Measure one size: the product, then the floor, which needs the lab's image ``mirror``."""
    managers = managers_of(nodes)
    with tempfile.TemporaryDirectory() as work:
        note(f"{nodes} nodes: product")
        product, stack = measure_product(managers, nodes - managers, Path(work))
        note(f"{nodes} nodes: floor")
        below = measure_floor(managers, nodes - managers, stack, mirror, Path(work))
    return {"product": product, "floor": below}


def managers_of(nodes: int) -> int:
    """How many of the nodes are managers: one of up to 5, three of more."""
    return 1 if nodes <= 5 else 3


def table(nodes: int, times: dict[str, Times]) -> Table:
    """The times of one size as a table, one row a phase."""
    product, below = times["product"], times["floor"]
    title = f"{nodes} nodes, managers among them: {managers_of(nodes)}"
    view = Table("phase", "swarmctl", "floor", "ratio", title=title)
    for phase in PHASES:
        ratio = product[phase] / below[phase]
        view.add_row(phase, f"{product[phase]:.1f} s", f"{below[phase]:.1f} s", f"{ratio:.1f}")
    return view


def measure_product(managers: int, workers: int, work: Path) -> tuple[Times, floor.RecordedStack]:
    """Time the product's commands, and record the stack for the floor."""
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
        os.environ.update(variables)  # for resolve: this process uses the lab from here on
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
    """Time the same phases of ``bench/floor.py``."""
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
