"""A move while the managers do not know host ports: what serves is not taken from its clients."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.forgotten.ask_nodes import Whole
from swarmctl.errors import DeadlineExceededError
from swarmctl.moves.drain import activate, drain
from swarmctl.moves.plan import plan_drain
from swarmctl.rebalance.execute import execute
from swarmctl.rebalance.plan import propose
from swarmctl.swarm.model import Port, Swarm
from swarmctl.swarm.snapshot import read_swarm
from tests.unit.moves.fake_swarm import Clients, DrainSwarm, context


def forget(fake: DrainSwarm) -> None:
    """As the managers do when their leader changes."""
    for mine in fake.tasks:
        mine["Status"]["PortStatus"] = {}


@pytest.fixture
def fake() -> DrainSwarm:
    found = DrainSwarm()
    found.have("web", {"a": 1, "b": 1, "c": 1})
    return found


@pytest.fixture
def clients(fake: DrainSwarm) -> Clients:
    told = Clients(fake)
    told.publish(fake.snapshot())
    forget(fake)
    return told


def test_a_drain_leaves_its_node_only_and_waits_for_its_clients(
    fake: DrainSwarm, clients: Clients
) -> None:
    before = set(clients.told)
    there = {t["ID"] for t in fake.tasks if t["NodeID"] == "id-a"}
    plan = plan_drain(read_swarm(fake), ["id-a"])
    assert len(plan.endpoints) == 1
    done = drain(plan, context(fake, clients))
    assert set(clients.forgot) == there
    assert before - there <= clients.told
    assert done.waited == 10.0
    assert clients.broken() == []


def test_activate_takes_nothing_away(fake: DrainSwarm, clients: Clients) -> None:
    activate(fake.snapshot().nodes, context(fake, clients))
    assert clients.forgot == {}


def test_a_rebalance_sends_clients_away_from_the_node_that_loses_one() -> None:
    fake = DrainSwarm()
    fake.have("web", {"a": 3, "b": 2})
    clients = Clients(fake)
    clients.publish(fake.snapshot())
    forget(fake)
    execute(propose(read_swarm(fake)), context(fake, clients))
    assert fake.counts("web") == {"a": 2, "b": 2, "c": 1}
    assert clients.broken() == []


def test_the_nodes_are_asked_for_the_ports(fake: DrainSwarm, clients: Clients) -> None:
    def asked(swarm: Swarm) -> Swarm:
        port = Port("tcp", 80, 32000, "host")
        return replace(swarm, tasks=tuple(replace(t, ports=(port,)) for t in swarm.tasks))

    clients.told = set()
    drain(
        plan_drain(read_swarm(fake), ["id-a"]),
        replace(context(fake, clients), complete=asked),
    )
    assert {t["ID"] for t in fake.tasks if t["NodeID"] != "id-a"} >= clients.told != set()


def test_nothing_stops_while_the_port_of_the_new_replica_is_not_known(fake: DrainSwarm) -> None:
    fake.have("single", {"a": 1})
    clients = Clients(fake)
    clients.publish(fake.snapshot())
    fake.events.append((0.5, lambda: forget(fake)))
    with pytest.raises(DeadlineExceededError, match="the host ports of the new replicas"):
        drain(plan_drain(read_swarm(fake), ["id-a"]), context(fake, clients))
    assert fake.stopped == []


def test_what_an_election_hides_in_the_midst_of_a_move_is_remembered(fake: DrainSwarm) -> None:
    """Broken: the second pass takes everything away from everybody."""
    whole = Whole(None)
    before = catalogue(whole(fake.snapshot()))
    forget(fake)
    unheard = tuple(replace(n, state="unknown") for n in fake.snapshot().nodes)
    assert catalogue(whole(replace(fake.snapshot(), nodes=unheard))) == before
    assert len(before.endpoints) == 3
