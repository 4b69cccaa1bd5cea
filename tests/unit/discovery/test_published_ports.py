"""Ports that the managers forgot are read where an earlier agent published them."""

from __future__ import annotations

from dataclasses import replace

from swarmctl.discovery.forgotten.ask_nodes import forgotten
from swarmctl.discovery.forgotten.published import PublishedPorts
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.observe.host_ports import with_ports
from tests.unit.discovery.cloud_api import BOTH, Api, edition
from tests.unit.discovery.shop import labelled, port, shop
from tests.unit.engine_json import task


def without_ports(swarm: Swarm) -> Swarm:
    """The Swarm after a change of leader: no task's ports are known."""
    return replace(swarm, tasks=tuple(replace(task, ports=()) for task in swarm.tasks))


def ask(api: Api, swarm: Swarm, owner: str = "swarm_app") -> dict[str, tuple[str, ...]]:
    found = PublishedPorts(lambda: api.cloud, lambda: owner)(swarm, forgotten(swarm))
    return {
        task: tuple(f"{p.target}>{p.published}" for p in ports) for task, ports in found.items()
    }


def test_a_new_agent_learns_what_the_one_before_published(api: Api) -> None:
    """Broken: the leader dies, and with it the agent's memory: all replicas leave the catalogue."""
    api.writes(BOTH)
    lost = without_ports(shop())
    assert ask(api, lost) == {"task1": ("80>32768",), "task2": ("80>32768",)}
    found = PublishedPorts(lambda: api.cloud, lambda: "swarm_app")(lost, forgotten(lost))
    assert api.writes(edition(with_ports(lost, found))) == {}


def test_every_port_of_a_task_is_learned(api: Api) -> None:
    service = labelled("shop_auth", [port(3000, 0), port(9100, 0)])
    ports = [port(3000, 32770), port(9100, 32771)]
    there = shop(service, more_tasks=(task("shop_auth", "wkr_1", 1, id="task9", ports=ports),))
    api.writes(edition(there))
    assert ask(api, without_ports(there))["task9"] == ("3000>32770", "9100>32771")


def test_what_another_owner_or_another_node_says_proves_nothing(api: Api) -> None:
    api.writes(BOTH)
    assert ask(api, without_ports(shop()), owner="other") == {}
    moved = shop(tasks=[task("shop_web", "wkr_2", 1, id="task1")])
    assert ask(api, moved) == {}


def test_nothing_is_asked_when_nothing_was_forgotten(api: Api) -> None:
    api.calls.clear()
    assert ask(api, shop()) == {}
    assert not api.calls
