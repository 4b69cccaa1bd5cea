"""``swarmctl node drain``: no task stops while a client may use it; every step can be repeated."""

from __future__ import annotations

import pytest

from swarmctl.errors import DeadlineExceededError, RefusedError, SwarmctlError
from swarmctl.moves.drain import Drained, activate, drain, refuse_if_objected
from swarmctl.moves.plan import DrainPlan, plan_drain
from swarmctl.swarm import lock
from swarmctl.swarm.snapshot import read_swarm
from tests.unit.moves.fake_swarm import Clients, DrainSwarm, context
from tests.unit.rebalance.fake_swarm import FakeSignals, StoppedError
from tests.unit.scheduler.swarms import node


@pytest.fixture
def fake() -> DrainSwarm:
    found = DrainSwarm()
    found.have("web", {"a": 2, "b": 1, "c": 1})
    return found


def planned(fake: DrainSwarm, *names: str) -> DrainPlan:
    return plan_drain(read_swarm(fake), [f"id-{name}" for name in names])


def run(fake: DrainSwarm, clients: Clients, signals: FakeSignals | None = None) -> Drained:
    clients.publish(fake.snapshot())
    return drain(planned(fake, "a"), context(fake, clients, signals=signals))


def test_tasks_stop_only_when_their_clients_have_left(fake: DrainSwarm) -> None:
    clients = Clients(fake, lags=10.0)
    done = run(fake, clients)
    assert len(fake.stopped) == 2
    assert clients.broken() == []
    assert done.waited == 10.0
    assert (done.left, dict(done.missing)) == (0, {})
    assert fake.counts("web")["a"] == 0
    assert sum(fake.counts("web").values()) == 4


def test_the_node_takes_no_new_task_from_the_start_and_keeps_its_label(fake: DrainSwarm) -> None:
    states: list[tuple[str, bool]] = []
    clients = Clients(fake)
    publish = clients.publish

    def seen(swarm: object) -> None:
        states.append((fake.availability("a"), "swarmctl.draining" in fake.labels("a")))
        publish(swarm)  # type: ignore[arg-type]  # a Swarm

    clients.publish = seen  # type: ignore[method-assign]  # looks at the node at each pass
    run(fake, clients)
    assert states[1:] == [("pause", True), ("pause", True)]
    assert fake.availability("a") == "drain"
    assert fake.labels("a")["swarmctl.draining"].endswith("Z")


def test_a_service_that_runs_there_only_serves_all_the_time(fake: DrainSwarm) -> None:
    fake.have("single", {"a": 1})
    clients = Clients(fake)
    run(fake, clients)
    assert clients.broken() == []
    assert clients.waits >= 3, "its new replica was not waited for"
    assert fake.least["single"] == 1
    assert fake.replicas("single") == 1
    assert sum(fake.counts("single").values()) == 1
    assert "swarmctl.surge" not in fake.store["services"]["id-single"]["Spec"]["Labels"]


def test_a_drain_without_endpoints_waits_for_nobody() -> None:
    fake = DrainSwarm()
    clients = Clients(fake)
    done = run(fake, clients)
    assert (done.waited, clients.passes) == (0.0, 1)
    assert fake.availability("a") == "drain"


@pytest.mark.parametrize("after", [0.3, 1.0, 5.0, 13.0])
def test_a_stopped_drain_goes_on_when_it_is_repeated(fake: DrainSwarm, after: float) -> None:
    fake.have("single", {"a": 1})
    clients, signals = Clients(fake), FakeSignals()
    fake.events.append((after, lambda: setattr(signals, "came", True)))
    with pytest.raises(StoppedError):
        run(fake, clients, signals)
    assert lock.find(fake, lock.CHAOS) is None
    signals.came = False
    run(fake, clients)
    assert clients.broken() == []
    assert (fake.availability("a"), fake.replicas("single")) == ("drain", 1)


def test_a_repeated_drain_waits_for_the_replica_that_the_first_one_started(
    fake: DrainSwarm,
) -> None:
    """Broken: it runs elsewhere, so nobody asks whether clients are sent there already."""
    fake.have("single", {"a": 1})
    signals, clients = FakeSignals(), Clients(fake)
    clients.not_ready = lambda endpoints: "initial" if endpoints else ""  # type: ignore[method-assign]
    fake.events.append((5.0, lambda: setattr(signals, "came", True)))
    with pytest.raises(StoppedError):
        run(fake, clients, signals)
    assert sum(fake.counts("single").values()) == 2
    signals.came = False
    with pytest.raises(DeadlineExceededError, match="to send requests to the new replicas"):
        run(fake, clients)
    assert fake.stopped == []


@pytest.mark.parametrize("after", [0.3, 5.0, 13.0, None])
def test_activate_undoes_a_drain_wherever_it_stopped(fake: DrainSwarm, after: float | None) -> None:
    fake.have("single", {"a": 1})
    clients, signals = Clients(fake), FakeSignals()
    if after is None:
        run(fake, clients)
    else:
        fake.events.append((after, lambda: setattr(signals, "came", True)))
        with pytest.raises(StoppedError):
            run(fake, clients, signals)
    nodes = [n for n in fake.snapshot().nodes if n.name == "a"]
    assert activate(nodes, context(fake, clients)) == ("a",)
    assert (fake.availability("a"), fake.labels("a")) == ("active", {})
    assert fake.replicas("single") == 1
    assert activate(nodes, context(fake, clients)) == ()


def test_nothing_stops_if_the_endpoints_cannot_be_withdrawn(fake: DrainSwarm) -> None:
    clients = Clients(fake)
    clients.publish(fake.snapshot())

    def fails(swarm: object) -> None:
        raise SwarmctlError("throttled")

    clients.publish = fails  # type: ignore[method-assign]  # as AWS may
    with pytest.raises(SwarmctlError, match="throttled"):
        drain(planned(fake, "a"), context(fake, clients))
    assert fake.stopped == []
    assert fake.availability("a") == "pause"


def test_nothing_stops_if_the_replica_elsewhere_does_not_start(fake: DrainSwarm) -> None:
    fake.have("single", {"a": 1})
    fake.starts = None
    with pytest.raises(DeadlineExceededError, match="a replica elsewhere of single"):
        run(fake, Clients(fake))
    assert fake.stopped == []


def test_it_is_refused_while_an_experiment_is_under_way(fake: DrainSwarm) -> None:
    lock.acquire(fake, lock.CHAOS, 60, lock.this_process("chaos run"))
    with pytest.raises(RefusedError, match="chaos is locked"):
        run(fake, Clients(fake))
    assert fake.availability("a") == "active"


def test_what_finds_no_node_is_an_objection(fake: DrainSwarm) -> None:
    fake.have("pinned", {"a": 1}, constraints=["node.hostname==a"])
    plan = planned(fake, "a")
    (text,) = plan.objections
    assert "pinned: 1 replica finds no node: no suitable node" in text
    with pytest.raises(RefusedError, match="pinned"):
        refuse_if_objected(plan, force=False)
    refuse_if_objected(plan, force=True)


def test_data_that_stays_behind_is_an_objection_and_no_replica_is_started_elsewhere() -> None:
    fake = DrainSwarm()
    mounts = [{"Type": "volume", "Source": "data", "Target": "/data"}]
    fake.have("db", {"a": 1}, mounts=mounts)
    plan = planned(fake, "a")
    assert plan.first_elsewhere == ()
    assert [text.partition(":")[0] for text in plan.objections] == ["db", "db"]
    assert "the volume data is local" in plan.objections[0]


def test_a_drained_manager_stays_in_the_quorum() -> None:
    fake = DrainSwarm(machines=[node("a", role="manager", leader=True), node("b"), node("c")])
    fake.have("web", {"a": 1, "b": 1})
    plan = planned(fake, "a")
    assert plan.prediction.loss.quorum
    assert plan.objections == ()
    assert plan.remarks == ("a is a manager and the leader: it stays one; only its tasks leave",)
