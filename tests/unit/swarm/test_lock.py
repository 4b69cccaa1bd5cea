"""Two deploys of one stack are kept apart, and a killed one is no obstacle for ever."""

from __future__ import annotations

import base64
import getpass
import json
import os
import socket
import subprocess
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.reading.times import parse_time
from swarmctl.swarm import lock
from swarmctl.swarm.engine import EngineError
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
        {"seconds": 1},
        {"owner": {"user": "a", "host": "h", "pid": 1, "doing": "x"}, "seconds": "long"},
        {"owner": {"user": "a", "host": "h", "pid": 0, "doing": "x"}, "seconds": 1},
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
    with pytest.raises(SwarmctlError) as caught:
        lock.find(fake, SHOP)
    text = "the config swarmctl-lock-shop is not a lock of this version of swarmctl"
    assert caught.value.message == text
    remedy = "inspect it and remove it, on a manager: docker config rm swarmctl-lock-shop"
    assert caught.value.hint == remedy


def test_an_owner_of_the_swarm_cannot_write_to_the_terminal() -> None:
    fake = FakeEngine()
    lock.acquire(fake, SHOP, 60, lock.Owner("a\x1b[2J", "h", 1, "x"))
    found = lock.find(fake, SHOP)
    assert found is not None
    assert str(found.owner).isprintable()


def test_a_lock_says_what_it_protects_whose_it_is_and_until_when() -> None:
    fake = FakeEngine(time="2026-01-31T12:00:00Z")
    lock_id = lock.acquire(fake, SHOP, 90, ME)
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    found = lock.find(fake, SHOP)
    assert found == lock.Lock(lock_id, ME, noon, noon + timedelta(seconds=90))
    assert [found.active(noon + timedelta(seconds=s)) for s in (89, 90, 91)] == [True, False, False]
    assert fake.named("configs", SHOP.name)["Spec"]["Labels"] == {"swarmctl.lock": "shop"}
    assert lock.manager_time(fake) == noon
    user, host = getpass.getuser(), socket.gethostname()
    assert lock.this_process("deploy") == lock.Owner(user, host, os.getpid(), "deploy")


@pytest.mark.parametrize(
    ("stack", "name"),
    [
        ("shop", "swarmctl-lock-shop"),
        ("s" * 50, f"swarmctl-lock-{'s' * 50}"),  # 64 characters
        ("s" * 51, f"swarmctl-lock-{'s' * 37}-b2b346c6c3fb"),
    ],
)
def test_a_stacks_lock_is_named_after_it(stack: str, name: str) -> None:
    subject = lock.of_stack(stack)
    unlock = f"swarmctl stack unlock {stack}"
    assert subject == lock.Subject(name, stack, f"the stack {stack}", unlock)


def test_the_lock_of_a_stack_whose_name_only_begins_alike_is_not_found() -> None:
    class Silent(FakeEngine):
        def get(self, path: str, **filters: list[str]) -> Any:
            return super().get(path, **filters) or None  # the Engine answers `null` for none

    fake = Silent()
    assert lock.find(fake, SHOP) is None
    lock.acquire(fake, lock.of_stack("shopping"), 60, ME)
    assert lock.find(fake, SHOP) is None
    lock_id = lock.acquire(fake, SHOP, 60, ME)
    found = lock.find(fake, SHOP)
    assert found is not None
    assert found.id == lock_id


def test_a_lock_that_cannot_be_released_is_said_and_does_not_hide_the_work() -> None:
    fake, notes = FakeEngine(refuse={"DELETE": "no leader"}), list[str]()
    with lock.held(fake, SHOP, 60, ME, notes.append):
        pass
    assert notes == ["cannot release the lock of the stack shop, it expires within 60 s: no leader"]
    with pytest.raises(KeyError), lock.held(FakeEngine(refuse={"DELETE": "x"}), SHOP, 60, ME):
        raise KeyError


@pytest.mark.parametrize("plan", [None, {"id": "r1"}])
def test_a_lock_that_is_held_is_refused_with_its_owner_age_and_end(
    plan: dict[str, str] | None,
) -> None:
    fake = FakeEngine(time="2026-01-31T12:00:00Z")
    lock.acquire(fake, lock.CHAOS, 600, ME, plan)
    fake.time = "2026-01-31T12:09:59Z"
    with pytest.raises(RefusedError) as caught:
        lock.acquire(fake, lock.CHAOS, 60, ME)
    who = "chaos is locked by ann@laptop (process 7, deploy) since 12:00:00 UTC (599 s)"
    assert caught.value.message == who
    assert caught.value.hint == (
        "it expires at 12:10:00 UTC; if that process is gone: swarmctl chaos revert --from-swarm"
    )


def test_what_an_expired_lock_left_undone_is_said_with_its_time() -> None:
    fake = FakeEngine(time="2026-01-31T12:00:00Z")
    lock.acquire(fake, lock.CHAOS, 60, ME, {})
    fake.time = "2026-01-31T12:01:00Z"
    with pytest.raises(RefusedError) as caught:
        lock.acquire(fake, lock.CHAOS, 60, ME)
    who = "chaos is locked: ann@laptop (process 7, deploy) left something undone at "
    assert caught.value.message == f"{who}2026-01-31 12:00:00 UTC"
    assert caught.value.hint == "undo it first: swarmctl chaos revert --from-swarm"


class Contended(FakeEngine):
    """Refuses each lock as if another process had taken it, and released it before we looked."""

    status, repeated = 409, False

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        with suppress(EngineError):
            super().send(method, path, body)
        if not self.repeated:
            self.store["configs"].clear()
        error = EngineError("name conflicts with an existing object", self.status)
        error.repeated = self.repeated
        raise error


def test_a_lock_that_others_keep_taking_is_given_up_after_three_tries() -> None:
    fake = Contended()
    with pytest.raises(RefusedError) as caught:
        lock.acquire(fake, SHOP, 60, ME)
    text = "the lock of the stack shop is contended: gave up after 3 tries"
    assert (caught.value.message, caught.value.hint) == (text, "try again")
    assert fake.sent == ["POST /configs/create"] * 3


def test_another_error_of_the_engine_ends_the_attempt_at_once() -> None:
    fake = Contended()
    fake.status = 500
    with pytest.raises(EngineError, match="name conflicts"):
        lock.acquire(fake, SHOP, 60, ME)
    assert len(fake.sent) == 1


def test_a_lock_that_a_repeated_request_had_already_made_is_ours() -> None:
    fake = Contended()
    fake.repeated = True
    assert lock.acquire(fake, SHOP, 60, ME) == "configs-1"
    with pytest.raises(RefusedError, match="is locked by ann@laptop"):
        lock.acquire(fake, SHOP, 60, lock.Owner("bob", "laptop", 7, "deploy"))
    with pytest.raises(RefusedError, match="is locked by ann@laptop"):
        lock.acquire(fake, SHOP, 60, ME)  # the same process, but an earlier lock of it


def test_a_lock_that_is_released_while_we_ask_for_it_is_taken() -> None:
    class Late(FakeEngine):
        def get(self, path: str, **filters: list[str]) -> Any:
            self.store["configs"].clear()
            return super().get(path, **filters)

    fake = Late()
    lock.acquire(fake, SHOP, 60, ME)
    assert lock.acquire(fake, SHOP, 60, ME) == "configs-2"


def test_an_owner_on_this_machine_is_alive_as_long_as_its_process() -> None:
    """Broken: a run that is alive is undone, or a dead one blocks all others until it expires."""
    with subprocess.Popen(["sleep", "60"]) as process:
        owner = replace(lock.this_process("deploy"), pid=process.pid)
        assert owner.alive is True
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert owner.alive is False  # a zombie, which os.kill still finds
    assert owner.alive is False
    assert replace(owner, pid=2**70).alive is False
    assert replace(owner, pid=os.getpid()).alive is True
    for elsewhere in (replace(owner, user="ann?"), replace(owner, host="laptop?")):
        assert elsewhere.alive is None
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    gone = lock.Lock("l1", owner, noon, noon + timedelta(seconds=60))
    assert not gone.owned(noon)
    assert replace(gone, owner=lock.this_process("deploy")).owned(noon + timedelta(days=1))
    assert [replace(gone, owner=ME).owned(noon + timedelta(seconds=s)) for s in (59, 60)] == [
        True,
        False,
    ]


def test_a_process_of_another_user_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert lock.this_process("deploy").alive is True


def test_each_renewal_changes_a_label_and_keeps_the_rest() -> None:
    """Without a change, Swarm would not note a new time."""
    fake = FakeEngine(time="2026-01-31T12:00:00Z")
    lock_id = lock.acquire(fake, lock.CHAOS, 60, ME, {"id": "r1"}, renews=True)
    before = fake.named("configs", lock.CHAOS.name)["Spec"]
    for count in "12":
        lock.renew(fake, lock_id)
        labels = {"swarmctl.lock": "chaos", "swarmctl.lock.renewed": count}
        assert fake.named("configs", lock.CHAOS.name)["Spec"] == {**before, "Labels": labels}
    assert fake.sent[-1] == f"POST /configs/{lock_id}/update"
    found = lock.find(fake, lock.CHAOS)
    assert found is not None
    assert (found.until - found.since).total_seconds() == lock.LIVE_S
    assert (found.id, found.renewed) == (lock_id, found.since)
    assert found.plan == {"id": "r1"}
    late = replace(found, renewed=found.since + timedelta(seconds=30))
    assert (late.alive_until - found.since).total_seconds() == 30 + lock.LIVE_S


def test_a_lock_is_renewed_until_that_is_ended() -> None:
    fake = FakeEngine()
    lock_id = lock.acquire(fake, lock.CHAOS, 60, ME, renews=True)
    renewed = threading.Event()

    class Seen(FakeEngine):
        def send(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
            if self.failing:
                self.failing = False
                raise ManagerError("an election")
            renewed.set()
            return fake.send(method, path, body, **more)

        failing = True

    engine = Seen(store=fake.store)
    end = lock.renewing(engine, lock_id, 0.001)
    assert renewed.wait(30)
    end()
    for thread in threading.enumerate():
        if thread.name == "renew the lock":
            thread.join(30)
            assert not thread.is_alive()
            assert thread.daemon
