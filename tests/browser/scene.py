"""A Swarm that looks like one in use, and what happens to it when a worker dies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from swarmctl.swarm.model import Port, Service, Swarm, Task
from swarmctl.swarm.node import Node
from tests.unit.web.simulated import ZONES, now, task

# service, image, replicas, published port
_SERVICES = (
    ("three_tier_web", "httpd:2.4", 10, 80),
    ("three_tier_api", "node:20", 4, 0),
    ("three_tier_db", "postgres:17", 1, 0),
    ("shop_entry", "httpd:2.4", 3, 8080),
    ("shop_auth", "node:20", 2, 0),
    ("shop_orders", "node:20", 3, 0),
    ("shop_catalogue", "node:20", 3, 0),
)
_WORKERS = 5
LOST = "wkr2"


def scene() -> Swarm:
    """One manager and five workers in three zones; two stacks."""
    nodes = tuple(_node(number) for number in range(_WORKERS + 1))
    services = tuple(
        Service(
            id=name,
            name=name,
            mode="replicated",
            replicas=replicas,
            image=image,
            version=1,
            ports=(Port("tcp", 80, port, "ingress"),) if port else (),
            labels={"com.docker.stack.namespace": name.rpartition("_")[0]},
        )
        for name, image, replicas, port in _SERVICES
    )
    places = iter(range(10_000))
    tasks = tuple(
        task(f"{name}.{slot}", name, slot, f"wkr{1 + next(places) % _WORKERS}")
        for name, _, replicas, _ in _SERVICES
        for slot in range(1, replicas + 1)
    )
    return Swarm(nodes, services, tasks, taken_at=now())


def _node(number: int) -> Node:
    name = f"swarm_app_wkr{number}" if number else "swarm_app_mgr1"
    return Node(
        id=f"wkr{number}" if number else "mgr1",
        hostname=name,
        name=name,
        role="worker" if number else "manager",
        availability="active",
        state="ready",
        address=f"10.42.{number % 3}.{10 + number}",
        labels={"az": f"eu-central-1{ZONES[number % 3]}"},
        leader=not number,
        reachability="" if number else "reachable",
        engine_version="26.1.5",
    )


def failover(before: Swarm, node: str = LOST) -> Iterator[Swarm]:
    """What the managers show after a worker died: first Down, then one replica after another."""
    others = [n.id for n in before.nodes if n.role == "worker" and n.id != node]
    lost = [t for t in before.tasks if t.node_id == node]
    kept = tuple(replace(t, desired_state="shutdown") if t in lost else t for t in before.tasks)
    nodes = tuple(replace(n, state="down") if n.id == node else n for n in before.nodes)
    states = [""] * len(lost)

    def now_is() -> Swarm:
        new = (_next(t, others[i % len(others)], states[i]) for i, t in enumerate(lost))
        found = tuple(each for each in new if each.state)
        return replace(before, nodes=nodes, tasks=(*kept, *found), taken_at=now())

    yield now_is()
    for state in ("starting", "running"):
        for place in range(len(states)):
            states[place] = state
            yield now_is()


def _next(old: Task, node: str, state: str) -> Task:
    return task(f"{old.id}+", old.service_id, old.slot, node, state)
