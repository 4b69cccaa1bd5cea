"""A rebalance sends clients away before Swarm removes a replica."""

from __future__ import annotations

from swarmctl.rebalance.execute import execute
from swarmctl.rebalance.plan import propose
from swarmctl.swarm.snapshot import read_swarm
from tests.unit.moves.fake_swarm import Clients, DrainSwarm, context
from tests.unit.rebalance.fake_swarm import FakeSignals, StoppedError


def test_no_replica_is_removed_while_a_client_may_use_it() -> None:
    fake = DrainSwarm()
    fake.have("web", {"a": 3, "b": 3})
    clients = Clients(fake)
    clients.publish(fake.snapshot())
    execute(propose(read_swarm(fake)), context(fake, clients))
    assert fake.counts("web") == {"a": 2, "b": 2, "c": 2}
    assert len(fake.stopped) == 2
    # The first time both nodes have most: sending clients away from both would leave one replica.
    assert len(clients.broken()) <= 1


def test_a_single_fullest_node_is_left_first_and_the_label_does_not_stay() -> None:
    fake = DrainSwarm()
    fake.have("web", {"a": 3, "b": 2})
    clients = Clients(fake)
    clients.publish(fake.snapshot())
    execute(propose(read_swarm(fake)), context(fake, clients))
    assert fake.counts("web") == {"a": 2, "b": 2, "c": 1}
    assert clients.broken() == []
    assert fake.replicas("web") == 5
    labels = fake.store["services"]["id-web"]["Spec"].get("Labels", {})
    assert "swarmctl.draining" not in labels


def test_a_signal_while_clients_leave_puts_everything_back() -> None:
    fake = DrainSwarm()
    fake.have("web", {"a": 3, "b": 2})
    signals = FakeSignals()
    fake.events.append((4.0, lambda: setattr(signals, "came", True)))
    clients = Clients(fake)
    try:
        execute(propose(read_swarm(fake)), context(fake, clients, signals=signals))
    except StoppedError:
        pass
    else:
        raise AssertionError("the signal was not heard")
    assert fake.replicas("web") == 5
    assert "swarmctl.draining" not in fake.store["services"]["id-web"]["Spec"].get("Labels", {})
