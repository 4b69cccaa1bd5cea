"""The server that :mod:`bench.page` measures: a large Swarm that changes all the time.

Prints its address, and ends with its input. It imports no more than ``swarmctl web`` does.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from swarmctl.swarm.model import Swarm
from swarmctl.swarm.parse import parse_swarm
from tests.unit.engine_json import node, service, task
from tests.unit.web.simulated import Simulated, served, swarm

NODES, SERVICES, REPLICAS = 100, 20, 50
CHANGES_A_SECOND = 20


class Large(Simulated):
    """A Swarm whose replicas are replaced elsewhere all the time, as the Engine's JSON."""

    def __init__(self) -> None:
        super().__init__(swarm(1, 0, 0))
        self._random = random.Random(1)  # noqa: S311  # the same changes in every run
        zones = [{"az": f"eu-central-1{zone}"} for zone in "abc"]
        nodes = [node(f"wkr{i}", labels=zones[i % 3], addr=f"10.42.0.{i}") for i in range(NODES)]
        services = [service(f"shop_part{i}", replicas=REPLICAS) for i in range(SERVICES)]
        self._fixed = (json.dumps(nodes), json.dumps(services))
        self._tasks = [self._task(place) for place in range(SERVICES * REPLICAS)]
        self._changed = time.monotonic()

    def _task(self, place: int) -> str:
        of, slot = divmod(place, REPLICAS)
        on = f"wkr{self._random.randrange(NODES)}"
        return json.dumps(task(f"shop_part{of}", on, slot + 1, **_WEIGHT))

    def snapshot(self) -> Swarm:
        """As a manager answers, after the changes since the last answer."""
        now = time.monotonic()
        for _ in range(round((now - self._changed) * CHANGES_A_SECOND)):
            place = self._random.randrange(len(self._tasks))
            self._tasks[place] = self._task(place)
        self._changed = now
        nodes, services = self._fixed
        raw: dict[str, Any] = {
            "nodes": json.loads(nodes),
            "services": json.loads(services),
            "tasks": json.loads(f"[{','.join(self._tasks)}]"),
        }
        return parse_swarm(raw)

    whole = snapshot


# What a real task has beside it: about 2 kB.
_WEIGHT: dict[str, Any] = {
    "spec": {
        "ContainerSpec": {
            "Image": "registry.example:5000/shop/part@sha256:" + "0" * 64,
            "Env": [f"SETTING_{n}=value-of-setting-{n}" for n in range(24)],
            "Labels": {"com.docker.stack.namespace": "shop"},
            "Mounts": [{"Type": "volume", "Source": f"data{n}", "Target": f"/d/{n}"} for n in "ab"],
        },
        "Resources": {"Limits": {"NanoCPUs": 10**9}, "Reservations": {"MemoryBytes": 1 << 26}},
        "Networks": [{"Target": "0" * 25, "Aliases": ["part"]}],
        "ForceUpdate": 0,
    }
}


def main() -> None:
    """The server: prints its address, and ends with its input."""
    with tempfile.TemporaryDirectory() as runs, served(Large(), Path(runs), interval=0.5) as url:
        print(url, flush=True)  # noqa: T201  # read by the bench
        sys.stdin.read()


if __name__ == "__main__":
    main()
