"""Two deploys of one stack are kept apart, and a killed one is no obstacle for ever."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.reading.times import parse_time
from swarmctl.swarm import lock
from swarmctl.swarm.ssh import ManagerError
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


class Breaks(FakeEngine):
    """The connection breaks after the lock was made: the answer is lost."""

    broken = False

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        answer = super().send(method, path, body, **options)
        if path == "/configs/create" and not self.broken:
            self.broken = True
            raise ManagerError("connection lost")
        return answer


def test_a_lock_whose_creation_got_no_answer_is_ours() -> None:
    """Broken: the run ends with an error, and its own lock refuses every later one."""
    fake = Breaks()
    lock_id = lock.acquire(fake, SHOP, 60, ME)
    assert list(fake.store["configs"]) == [lock_id]


def test_a_lock_of_the_same_process_that_is_not_this_one_is_not_taken_for_ours() -> None:
    fake = FakeEngine()
    lock.acquire(fake, SHOP, 60, ME)
    with pytest.raises(RefusedError):
        lock.acquire(fake, SHOP, 60, ME)


def test_a_renewal_shows_that_an_owner_on_another_machine_is_alive() -> None:
    fake = FakeEngine(time="2026-01-31T12:00:00Z")
    lock_id = lock.acquire(fake, lock.CHAOS, 3600, ME, renews=True)

    def owned(at: str) -> bool:
        found = lock.find(fake, lock.CHAOS)
        assert found is not None
        return found.owned(parse_time(f"2026-01-31T{at}Z"))

    assert (owned("12:01:29"), owned("12:01:31")) == (True, False)
    fake.time = "2026-01-31T12:01:00Z"
    lock.renew(fake, lock_id)
    assert (owned("12:02:29"), owned("12:02:31")) == (True, False)


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        [],
        {"owner": {"user": "a", "host": "b", "pid": -1, "doing": "x"}, "seconds": 1},
        {"owner": {"user": 1, "host": "b", "pid": 1, "doing": "x"}, "seconds": 1},
        {"owner": {"user": "a", "host": "b", "pid": 1, "doing": "x"}, "seconds": 1e300},
        {"owner": {"user": "a", "host": "b", "pid": 1, "doing": "x"}, "seconds": 1, "plan": []},
    ],
)
def test_what_is_no_lock_is_an_error_with_a_remedy(content: object) -> None:
    fake = FakeEngine()
    data = content if isinstance(content, str) else json.dumps(content)
    spec = {"Name": SHOP.name, "Labels": {}, "Data": base64.b64encode(data.encode()).decode()}
    fake.add("configs", spec)
    with pytest.raises(SwarmctlError, match="not a lock") as caught:
        lock.find(fake, SHOP)
    assert "docker config rm" in caught.value.hint


def test_an_owner_of_the_swarm_cannot_write_to_the_terminal() -> None:
    fake = FakeEngine()
    lock.acquire(fake, SHOP, 60, lock.Owner("a\x1b[2J", "h", 1, "x"))
    found = lock.find(fake, SHOP)
    assert found is not None
    assert str(found.owner).isprintable()
