"""However a move ends: never fewer than wanted, and the number is what it was."""

from __future__ import annotations

import pytest

from swarmctl.discovery.leaving import DRAINING_LABEL
from swarmctl.errors import Exit, RefusedError
from swarmctl.moves.context import Context
from swarmctl.rebalance.execute import Result, execute
from swarmctl.rebalance.mover import NotPutBackError
from swarmctl.rebalance.plan import propose
from swarmctl.rebalance.precheck import refuse_unless_ready
from swarmctl.swarm import lock, patience
from swarmctl.swarm.engine import EngineError
from swarmctl.swarm.patience import Patient
from swarmctl.swarm.snapshot import read_swarm
from tests.unit.rebalance.fake_swarm import FakeSignals, FakeSwarm, StoppedError

OTHER = lock.Owner("ann", "laptop", 7, "deploy")


def context(fake: FakeSwarm, signals: FakeSignals | None = None, timeout: float = 30) -> Context:
    return Context(
        fake,
        signals or FakeSignals(),
        timeout,
        clock=fake.clock,
    )


def run(fake: FakeSwarm, signals: FakeSignals | None = None, timeout: float = 30) -> list[Result]:
    return execute(propose(read_swarm(fake)), context(fake, signals, timeout))


def test_an_empty_node_is_filled_and_never_one_too_few_runs() -> None:
    fake = FakeSwarm()
    fake.have("web", {"a": 5, "b": 5}, stack="shop")
    (result,) = run(fake)
    assert sorted(fake.counts("web").values()) == [3, 3, 4]
    assert (result.moved, result.problem, result.fewest) == (3, "", 10)
    assert fake.least["web"] == 10
    assert fake.replicas("web") == 10
    assert fake.names("configs") == []  # the locks are gone


def test_only_the_number_of_replicas_is_changed() -> None:
    fake = FakeSwarm()
    fake.have("web", {"a": 4})
    before = fake.get("/services/id-web")["Spec"]
    run(fake)
    assert fake.get("/services/id-web")["Spec"] == before


def test_nothing_to_do_takes_no_lock() -> None:
    fake = FakeSwarm()
    fake.have("web", {"a": 1, "b": 1})
    assert run(fake) == []
    assert fake.sent == []


def test_a_signal_while_the_new_one_starts_waits_for_it_and_puts_the_number_back() -> None:
    fake, signals = FakeSwarm(starts=5), FakeSignals()
    fake.have("web", {"a": 4})
    fake.events.append((1.0, lambda: setattr(signals, "came", True)))
    with pytest.raises(StoppedError):
        run(fake, signals)
    assert fake.replicas("web") == 4
    assert fake.least["web"] == 4
    assert fake.names("configs") == []


def test_a_replica_that_never_runs_is_not_paid_for_with_one_that_serves() -> None:
    """Swarm takes from the fullest node: one that serves would go, and three would be left."""
    fake = FakeSwarm(starts=None)
    fake.have("web", {"a": 4})
    with pytest.raises(NotPutBackError) as caught:
        run(fake)
    assert caught.value.exit_code == Exit.REVERT_FAILED
    assert "web has 5 replicas instead of 4" in caught.value.message
    assert "starting on b" in caught.value.message
    assert "docker service scale --detach web=4" in caught.value.hint
    assert fake.least["web"] == 4


def test_a_replica_that_finds_no_node_is_taken_back_at_once() -> None:
    fake = FakeSwarm(target="nowhere")
    fake.have("web", {"a": 4})
    (result,) = run(fake)
    assert "no suitable node" in result.problem
    assert fake.replicas("web") == 4
    assert fake.least["web"] == 4
    assert fake.now < 5


def test_without_progress_it_stops_and_says_so() -> None:
    fake = FakeSwarm(target="a")
    fake.have("web", {"a": 4, "b": 1, "c": 1})
    (result,) = run(fake)
    assert "no progress" in result.problem
    assert result.moved == 0
    assert fake.replicas("web") == 6


def test_an_election_in_the_middle_moves_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_INTERVAL", 0.0)
    fake = FakeSwarm()
    fake.have("web", {"a": 3, "b": 3})
    calm = fake._update

    def hide_the_first(*rest: object) -> object:
        monkeypatch.setattr(fake, "_update", calm)
        fake.fails = fake.now + 1
        try:
            return calm(*rest)  # type: ignore[arg-type]  # passed on as they came
        finally:
            fake.fails = 0

    monkeypatch.setattr(fake, "_update", hide_the_first)
    patient = Patient(fake, 5)
    todo = propose(read_swarm(patient))
    execute(todo, Context(patient, FakeSignals(), 30, clock=fake.clock))
    assert fake.replicas("web") == 6
    assert fake.counts("web") == {"a": 2, "b": 2, "c": 2}


def test_when_the_managers_are_lost_in_the_middle_it_says_what_to_type() -> None:
    fake = FakeSwarm(starts=5)
    fake.have("web", {"a": 4})
    fake.events.append((1.0, lambda: setattr(fake, "unreachable", True)))
    with pytest.raises(NotPutBackError) as caught:
        run(fake)
    assert "no manager answers" in caught.value.message
    assert "docker service scale --detach web=4" in caught.value.hint


def test_a_short_silence_of_the_managers_is_no_obstacle() -> None:
    fake = FakeSwarm(starts=5)
    fake.have("web", {"a": 2})
    fake.events.append((1.0, lambda: setattr(fake, "unreachable", True)))
    fake.events.append((4.0, lambda: setattr(fake, "unreachable", False)))
    (result,) = run(fake)
    assert (result.problem, fake.replicas("web")) == ("", 2)


def test_a_stack_that_is_being_deployed_is_left_and_the_next_one_is_not() -> None:
    fake = FakeSwarm()
    fake.have("api", {"a": 4}, stack="shop")
    fake.have("web", {"a": 4})
    lock.acquire(fake, lock.of_stack("shop"), 600, OTHER)
    api, web = run(fake)
    assert "ann@laptop" in api.problem
    assert (api.moved, api.after) == (0, {"a": 4, "b": 0, "c": 0})
    assert (web.problem, web.moved) == ("", 2)


def scale(fake: FakeSwarm, replicas: int) -> None:
    """As another client does it, who leaves the mark."""
    entry = fake.named("services", "web")
    mode, labels = {"Replicated": {"Replicas": replicas}}, {DRAINING_LABEL: "5 id-a"}
    spec = {**entry["Spec"], "Mode": mode, "Labels": labels}
    fake._update("services", entry, spec, {"version": str(entry["Version"]["Index"])})


def test_whoever_puts_the_number_back_first_leaves_no_mark_and_no_complaint() -> None:
    fake, signals = FakeSwarm(starts=5), FakeSignals()
    fake.have("web", {"a": 4})
    fake.events.append((1.0, lambda: setattr(signals, "came", True)))
    fake.events.append((3.0, lambda: scale(fake, 4)))
    with pytest.raises(StoppedError):
        run(fake, signals)
    assert fake.replicas("web") == 4
    labels = fake.get("/services/id-web")["Spec"]["Labels"]
    assert labels == {}, "the mark would hold again at five replicas"


def test_whoever_puts_the_number_back_a_moment_before_us_leaves_no_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake, reads = FakeSwarm(target="nowhere"), 0
    fake.have("web", {"a": 4})
    get = fake.get

    def late(path: str, **filters: list[str]) -> object:
        nonlocal reads
        if path == "/services/id-web" and fake.replicas("web") == 5:
            reads += 1
            if reads == 2:  # we have looked whether it is to be put back, and are about to
                scale(fake, 4)
        return get(path, **filters)

    monkeypatch.setattr(fake, "get", late)
    run(fake)
    assert reads >= 2
    assert fake.replicas("web") == 4
    assert fake.named("services", "web")["Spec"]["Labels"] == {}


def test_an_engine_that_does_not_say_how_many_there_are_has_not_put_the_number_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake, signals = FakeSwarm(starts=5), FakeSignals()
    fake.have("web", {"a": 4})

    def fail(path: str, **_: object) -> object:
        raise EngineError("rpc error: code = Unknown", 500)

    fake.events.append((1.0, lambda: setattr(signals, "came", True)))
    fake.events.append((1.0, lambda: monkeypatch.setattr(fake, "get", fail)))
    with pytest.raises(NotPutBackError, match="web may have 5 replicas instead of 4"):
        run(fake, signals)


def test_somebody_elses_number_is_not_overwritten() -> None:
    fake = FakeSwarm(starts=3)
    fake.have("web", {"a": 4})
    fake.events.append((1.0, lambda: scale(fake, 9)))
    (result,) = run(fake)
    assert fake.replicas("web") == 9
    assert result.problem
    labels = fake.get("/services/id-web")["Spec"]["Labels"]
    assert labels == {}, "the mark would hold again at five replicas"


def test_a_service_that_is_removed_meanwhile_is_no_error_of_ours() -> None:
    fake = FakeSwarm(starts=3)
    fake.have("web", {"a": 4})

    def remove() -> None:
        del fake.store["services"]["id-web"]

    fake.events.append((1.0, remove))
    (result,) = run(fake)
    assert "removed" in result.problem


def test_it_does_not_begin_while_a_node_is_down_or_an_experiment_runs() -> None:
    fake = FakeSwarm()
    refuse_unless_ready(fake, fake.snapshot())
    lock_id = lock.acquire(fake, lock.CHAOS, 600, OTHER)
    with pytest.raises(RefusedError, match="ann@laptop"):
        refuse_unless_ready(fake, fake.snapshot())
    lock.release(fake, lock_id)
    fake.machines[1]["Status"]["State"] = "down"
    with pytest.raises(RefusedError, match="b is down"):
        refuse_unless_ready(fake, fake.snapshot())


def test_no_experiment_begins_meanwhile() -> None:
    fake = FakeSwarm()
    fake.have("web", {"a": 2})
    held: list[lock.Lock | None] = []
    fake.events.append((0.5, lambda: held.append(lock.find(fake, lock.CHAOS))))
    run(fake)
    assert held[0] is not None
    assert held[0].owner.doing == "rebalance"
