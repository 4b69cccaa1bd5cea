"""An election ends no deploy: what is safe to send twice is sent again, and done once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from swarmctl.errors import SwarmctlError
from swarmctl.stack.deploy.apply import create, update_service
from swarmctl.swarm import lock, patience
from swarmctl.swarm.engine import EngineError
from swarmctl.swarm.patience import Patient, again
from swarmctl.swarm.ssh import ManagerError, NotNowError
from tests.unit.engine_fake import FakeEngine, object_spec, service_spec

LOST = "raft: failed to process the request: node lost leader status"


@dataclass
class Electing(FakeEngine):
    """Fails the next requests as an election does; ``done``: but carries them out."""

    failing: int = 0
    done: bool = False
    meanwhile: list[Callable[[], object]] = field(default_factory=list)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        auth: str = "",
        repeat: bool = False,
    ) -> Any:
        if not self.failing:
            return super().send(method, path, body, params=params, auth=auth)
        self.failing -= 1
        if self.done:
            super().send(method, path, body, params=params, auth=auth)
        for change in self.meanwhile:
            change()
        raise NotNowError(LOST)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between two attempts."""
    monkeypatch.setattr(patience, "_INTERVAL", 0.0)


@pytest.mark.parametrize("done", [False, True])
def test_an_update_is_carried_out_exactly_once(done: bool) -> None:
    fake = Electing()
    fake.add("services", service_spec("web"))
    there = fake.named("services", "shop_web")
    before = fake.get(f"/services/{there['ID']}")
    fake.failing, fake.done = 1, done
    update_service(Patient(fake, 5), before, service_spec("web", image="httpd:2.5"))
    assert there["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] == "httpd:2.5"
    assert there["Version"]["Index"] == before["Version"]["Index"] + 1


def test_a_rollback_that_was_carried_out_unheard_is_not_undone_by_a_second_one() -> None:
    fake = Electing()
    fake.add("services", service_spec("web"))
    there = fake.named("services", "shop_web")
    new = service_spec("web", image="httpd:2.5")
    update_service(fake, fake.get(f"/services/{there['ID']}"), new)
    fake.failing, fake.done = 1, True
    update_service(
        Patient(fake, 5), fake.get(f"/services/{there['ID']}"), new, params={"rollback": "previous"}
    )
    assert there["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] == "httpd:2.4"


def test_what_somebody_else_changed_during_the_election_is_not_overwritten() -> None:
    fake = Electing()
    fake.add("services", service_spec("web"))
    there = fake.named("services", "shop_web")
    before = fake.get(f"/services/{there['ID']}")
    other = service_spec("web", image="httpd:other")
    fake.meanwhile.append(
        lambda: fake._update("services", there, other, {"version": str(there["Version"]["Index"])})
    )
    fake.failing = 1
    with pytest.raises(SwarmctlError, match="out of sequence"):
        update_service(Patient(fake, 5), before, service_spec("web", image="httpd:2.5"))
    assert there["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] == "httpd:other"


@pytest.mark.parametrize("done", [False, True])
def test_something_is_made_once(done: bool) -> None:
    fake = Electing(failing=2, done=False)
    if done:
        fake.failing, fake.done = 1, True
    create(Patient(fake, 5), "/configs/create", object_spec("conf"))
    assert fake.names("configs") == ["conf"]


def test_a_name_that_was_there_before_is_still_a_conflict() -> None:
    fake = Electing()
    fake.add("configs", object_spec("conf"))
    with pytest.raises(EngineError) as caught:
        create(Patient(fake, 5), "/configs/create", object_spec("conf"))
    assert caught.value.status == 409


def test_a_lock_taken_unheard_is_ones_own() -> None:
    fake = Electing(failing=1, done=True)
    me = lock.this_process("deploy")
    with lock.held(Patient(fake, 5), lock.of_stack("shop"), 60, me):
        assert len(fake.names("configs")) == 1
    assert fake.names("configs") == []


def test_what_is_not_safe_to_send_twice_is_sent_once() -> None:
    fake = Electing(failing=1)
    with pytest.raises(ManagerError):
        Patient(fake, 5).send("POST", "/swarm/leave")


def test_patience_ends() -> None:
    now = [0.0]
    notes: list[str] = []

    def attempt() -> None:
        raise NotNowError("no leader")

    def pause(seconds: float) -> None:
        now[0] += 1

    with pytest.raises(NotNowError):
        again(attempt, 10, note=notes.append, clock=lambda: now[0], pause=pause)
    assert now[0] == 10
    assert notes == ["no leader; trying again for 10 s at most"]


def test_only_what_is_asked_for_is_tried_again() -> None:
    def attempt() -> None:
        raise ManagerError("the key was refused")

    with pytest.raises(ManagerError, match="refused"):
        again(attempt, 10, only=NotNowError)
