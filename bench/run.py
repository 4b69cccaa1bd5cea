"""``make bench``: all measurements; each figure beside its lower bound.

Usage: python -m bench.run [--sizes 4,12] [--many 4,20,50,50] [--kills 10] [--discovery 4]
(0 skips a part)

Writes ``runs/bench-<time>.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
from rich.console import Console

from bench import discovery, kills, load_balancer, many_nodes, page, phases, predictor, prefetch
from bench.support import ROOT
from swarmctl.lab.image.ensure import ensure_images


def main() -> None:
    """Measure, print each table as soon as it is complete, and write the figures to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="4,12", help="nodes of each Swarm that is built")
    parser.add_argument(
        "--many", default="4,20,50,50", help="nodes of each Swarm that one command makes"
    )
    parser.add_argument("--kills", type=int, default=10, help="kills at each heartbeat")
    parser.add_argument("--discovery", type=int, default=4, help="kills while an agent publishes")
    options = parser.parse_args()
    console = Console()
    results: dict[str, Any] = {"cores": os.cpu_count()}
    mirror = ensure_images(docker.from_env(), console.log).registry

    results["predictor"] = predictor.measure(console.log)
    console.print(predictor.table(results["predictor"]))
    results["page"] = page.as_json(of_page := page.measure(console.log))
    console.print(page.table(of_page))
    results["load_balancer"] = load_balancer.measure(console.log)
    console.print(load_balancer.table(results["load_balancer"]))
    results["seconds"] = {}
    for nodes in [int(size) for size in options.sizes.split(",") if int(size)]:
        times = phases.measure(nodes, mirror, console.log)
        results["seconds"][str(nodes)] = times
        console.print(phases.table(nodes, times))
    results["many_nodes"] = []
    for nodes in [int(size) for size in options.many.split(",") if int(size)]:
        with tempfile.TemporaryDirectory() as work:
            large = many_nodes.measure(nodes, Path(work), console.log)
        results["many_nodes"].append(many_nodes.as_json(large))
        console.print(many_nodes.table(large))
    if options.kills:
        with tempfile.TemporaryDirectory() as work:
            found = kills.measure(options.kills, Path(work), console.log)
        results["kills"] = kills.as_json(found)
        for heartbeat, figures in found.items():
            console.print(kills.table(heartbeat, figures))
        with tempfile.TemporaryDirectory() as work:
            results["prefetch"] = prefetch.measure(options.kills, Path(work), console.log)
        console.print(prefetch.table(results["prefetch"]))
    if options.discovery:
        with tempfile.TemporaryDirectory() as work:
            behind = discovery.measure(options.discovery, Path(work), console.log)
        results["discovery"] = discovery.as_json(behind)
        console.print(discovery.table(behind))
    # The largest of all commands: ansible-playbook.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    results["largest_child_mib"] = round(peak)
    console.print(f"peak memory of the largest command: {peak:.0f} MiB")
    path = ROOT / "runs" / f"bench-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=2))
    console.print(f"figures: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
