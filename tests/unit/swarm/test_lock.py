"""Two deploys of one stack are kept apart, and a killed one is no obstacle for ever."""

from __future__ import annotations

import pytest

from swarmctl.errors import RefusedError
from swarmctl.swarm import lock
from tests.unit.engine_fake import FakeEngine

SHOP = lock.of_stack("shop")
ME = lock.Owner("ann", "laptop", 7, "deploy")


def test_the_lock_is_there_while_it_is_held_and_gone_after() -> None:
    fake = FakeEngine()
    with lock.held(fake, SHOP, 60, ME):
        found = lock.find(fake, SHOP)
        assert found is not None
        assert found.owner == ME
    assert fake.names("configs") == []


def test_a_second_one_is_refused_and_told_who_and_for_how_long() -> None:
    fake = FakeEngine()
    lock.acquire(fake, SHOP, 600, ME)
    fake.time = "2026-01-31T12:01:00Z"
    with (
        pytest.raises(RefusedError, match=r"ann@laptop \(process 7, deploy\)") as caught,
        lock.held(fake, SHOP, 60, ME),
    ):
        pytest.fail("it is locked")
    assert "12:10:00" in caught.value.hint
    assert "swarmctl stack unlock shop" in caught.value.hint
    assert len(fake.names("configs")) == 1


def test_a_lock_whose_time_is_over_is_replaced() -> None:
    fake = FakeEngine()
    old = lock.acquire(fake, SHOP, 60, ME)
    fake.time = "2026-01-31T12:01:01Z"
    assert lock.acquire(fake, SHOP, 60, ME) != old
    assert len(fake.names("configs")) == 1


def test_one_stack_does_not_lock_another() -> None:
    fake = FakeEngine()
    lock.acquire(fake, SHOP, 60, ME)
    with lock.held(fake, lock.of_stack("shopping"), 60, ME):
        assert len(fake.names("configs")) == 2


def test_the_name_of_a_lock_fits_whatever_the_stack_is_called() -> None:
    names = {lock.of_stack("s" * 63).name, lock.of_stack("s" * 62 + "t").name, SHOP.name}
    assert len(names) == 3
    assert max(map(len, names)) <= 64


def test_it_is_given_up_when_the_work_fails() -> None:
    fake = FakeEngine()
    with pytest.raises(KeyboardInterrupt), lock.held(fake, SHOP, 60, ME):
        raise KeyboardInterrupt
    assert fake.names("configs") == []


def test_a_lock_with_a_plan_outlives_its_time() -> None:
    """Broken: an experiment begins on top of what another one left broken."""
    fake = FakeEngine()
    lock.acquire(fake, lock.CHAOS, 60, ME, {"undo": ["start i-1"]})
    fake.time = "2026-01-31T18:00:00Z"
    with pytest.raises(RefusedError, match="left something undone") as caught:
        lock.acquire(fake, lock.CHAOS, 60, ME, {})
    assert "chaos revert" in caught.value.hint
    found = lock.find(fake, lock.CHAOS)
    assert found is not None
    assert found.plan == {"undo": ["start i-1"]}
