"""The predictor lists every outcome that a literal, random run of SwarmKit's algorithm can have."""

from __future__ import annotations

from copy import deepcopy
from random import Random
from typing import Any

import pytest

from swarmctl.prediction import Predictor
from swarmctl.swarm.parse import parse_swarm
from tests.unit.scheduler import swarms
from tests.unit.scheduler.literal import Group, Host, schedule

ZONES, DISKS = ("a", "b", ""), ("x", "y")


@pytest.mark.parametrize("seed", range(100))
def test_every_outcome_of_the_algorithm_is_listed(seed: int) -> None:
    case = _Case(Random(seed))
    prediction = Predictor(parse_swarm(case.raw)).predict(["id-victim"])
    assert prediction.exhaustive
    listed = {_key(o.counts, o.pending) for o in prediction.outcomes}
    rng = Random(seed)
    drawn = {case.draw(rng) for _ in range(60)}
    assert drawn <= listed
    if len(listed) <= 4:  # few enough that all of them must have come up
        assert drawn == listed


def _key(counts: Any, pending: Any) -> object:
    flat = sorted((s, n, c) for s, per in counts.items() for n, c in per.items() if c)
    return tuple(flat), tuple(sorted((s, c) for s, c in pending.items() if c))


class _Case:
    """A random Swarm as the API's JSON and as the literal model's hosts."""

    def __init__(self, rng: Random) -> None:
        names = [f"n{i}" for i in range(rng.randint(1, 5))]
        self.groups: list[Group] = []
        self.hosts: list[Host] = []
        machines, placed = [], []
        for name in [*names, "victim"]:
            labels = {"z": rng.choice(ZONES), "d": rng.choice(DISKS)}
            paused = name != "victim" and rng.random() < 0.1
            machines.append(
                swarms.node(
                    name, cpus=8, labels=labels, availability="pause" if paused else "active"
                )
            )
            ok = not paused and name != "victim"
            self.hosts.append(Host(name, ok, (labels["z"], labels["d"]), cpu=8))
        for number in range(rng.randint(1, 3)):
            group = Group(
                f"s{number}",
                rng.randint(1, 6),
                cpu=rng.choice([0, 0, 1, 2]),
                max_replicas=rng.choice([0, 0, 0, 2]),
                levels=rng.choice([0, 0, 1, 2]),
            )
            more: dict[str, Any] = {"cpus": group.cpu} if group.cpu else {}
            service = swarms.service(
                group.service,
                max_replicas=group.max_replicas,
                spread=["node.labels.z", "node.labels.d"][: group.levels],
                **more,
            )
            where = {"victim": group.tasks}
            for host in self.hosts[:-1]:
                count = rng.choice([0, 0, 0, 1, 2, 5])
                where[host.name] = count
                host.counts[group.service] = count
                host.total += count
                host.cpu -= count * group.cpu
            self.groups.append(group)
            placed.append((service, where))
        self.raw = swarms.swarm(machines, placed)

    def draw(self, rng: Random) -> object:
        hosts = deepcopy(self.hosts)
        left = schedule(hosts, self.groups, rng)
        counts = {
            g.service: {h.name: h.counts.get(g.service, 0) for h in hosts} for g in self.groups
        }
        return _key(counts, left)
