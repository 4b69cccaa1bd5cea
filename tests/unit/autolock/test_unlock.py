"""Locked managers are unlocked together, with whichever stored key fits."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest

from swarmctl.autolock import unlock as unlocking
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.ssh import Endpoint, ManagerError

KEY = "SWMKEY-1-right"


class Manager:
    """A manager's Engine: it is active once a majority of ``others`` and itself is unlocked."""

    def __init__(self, together: threading.Barrier | None = None, state: str = "locked") -> None:
        self.state = state
        self.tried: list[str] = []
        self._together = together

    def info(self) -> Any:
        return {"Swarm": {"LocalNodeState": self.state}}

    def unlock_swarm(self, key: str) -> bool:
        self.tried.append(key)
        if key != KEY:
            answer: Any = SimpleNamespace(status_code=400)
            raise docker.errors.APIError("x", answer, "invalid key provided")
        if self._together:
            self._together.wait(10)
        self.state = "active"
        return True


@pytest.fixture
def managers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Manager]:
    found: dict[str, Manager] = {}

    class Client:
        def __init__(self, endpoint: Endpoint, **_: Any) -> None:
            if endpoint.address not in found:
                raise ManagerError(f"{endpoint.address}: no answer")
            self.docker = SimpleNamespace(api=found[endpoint.address])

        def ask(self, question: Any) -> Any:
            return question()

        def __enter__(self) -> Client:
            return self

        def __exit__(self, *_: object) -> None:
            return

    monkeypatch.setattr(unlocking, "SwarmClient", Client)
    return found


def run(names: list[str], keys: tuple[str, ...] = (KEY,), *, dry_run: bool = False) -> Any:
    nodes = {name: Endpoint(name) for name in names}
    timeout = 0.1 if "gone" in names else 5
    return unlocking.unlock(nodes, lambda: keys, timeout, dry_run=dry_run)


def test_managers_that_wait_for_each_other_are_unlocked(managers: dict[str, Manager]) -> None:
    """Broken: the first one waits for a majority that nobody has unlocked yet."""
    together = threading.Barrier(3)
    managers |= {name: Manager(together) for name in ("m1", "m2", "m3")}
    assert run(["m1", "m2", "m3"]) == dict.fromkeys(("m1", "m2", "m3"), "unlocked")


def test_the_former_key_is_tried_too(managers: dict[str, Manager]) -> None:
    managers["m1"] = Manager()
    assert run(["m1"], ("SWMKEY-1-new", KEY)) == {"m1": "unlocked"}
    assert managers["m1"].tried == ["SWMKEY-1-new", KEY]


def test_one_that_is_not_locked_gets_no_key(managers: dict[str, Manager]) -> None:
    managers["m1"] = Manager(state="active")
    assert run(["m1"]) == {"m1": "active"}
    assert managers["m1"].tried == []


def test_a_dry_run_only_looks(managers: dict[str, Manager]) -> None:
    managers["m1"] = Manager()
    assert run(["m1"], dry_run=True) == {"m1": "locked"}
    assert managers["m1"].tried == []


@pytest.mark.parametrize(
    ("keys", "why"), [(("SWMKEY-1-old",), "none of the 1 stored keys"), ((), "no key is stored")]
)
def test_the_others_are_unlocked_although_one_fails(
    managers: dict[str, Manager], keys: tuple[str, ...], why: str
) -> None:
    managers |= {"m1": Manager(state="active"), "m2": Manager()}
    with pytest.raises(SwarmctlError) as failed:
        run(["m1", "m2", "gone"], keys)
    assert why in failed.value.message
    assert "gone: no answer" in failed.value.message
    assert "m1" in failed.value.hint
    assert KEY not in failed.value.message
