"""What a rebalance that was killed left behind is taken away, and nothing else."""

from __future__ import annotations

import pytest

from swarmctl.chaos.run.extra_replica import scale_back
from swarmctl.discovery.leaving import DRAINING_LABEL
from swarmctl.swarm.engine import Json
from tests.unit.rebalance.fake_swarm import FakeSwarm

MARK = {DRAINING_LABEL: "5 id-a"}


def left(placed: dict[str, int]) -> FakeSwarm:
    fake = FakeSwarm()
    fake.have("web", placed)
    fake.named("services", "web")["Spec"]["Labels"] = {"mine": "1", **MARK}
    return fake


def labels(fake: FakeSwarm) -> Json:
    found: Json = fake.named("services", "web")["Spec"]["Labels"]
    return found


def test_the_extra_replica_goes_with_the_mark_of_those_that_were_about_to_leave() -> None:
    """Broken: whoever scales to five later has the endpoints of node a withdrawn."""
    fake, notes = left({"a": 3, "b": 2}), list[str]()
    scale_back(fake, {"id-web": 4}, notes.append, fake.pause)
    assert (fake.replicas("web"), labels(fake)) == (4, {"mine": "1"})
    assert notes == ["web: back to 4 replicas"]


def test_of_a_service_that_another_client_has_scaled_only_the_mark_goes() -> None:
    fake, notes = left({"a": 5, "b": 4}), list[str]()
    scale_back(fake, {"id-web": 4}, notes.append, fake.pause)
    assert (fake.replicas("web"), labels(fake), notes) == (9, {"mine": "1"}, [])


def test_nobody_waits_for_an_extra_replica_that_another_client_has_taken_away() -> None:
    """Broken: after two minutes the revert fails, of a service that is as it was."""
    fake, notes = left({"a": 4, "": 1}), list[str]()
    fake.tasks[-1]["Status"]["State"] = "pending"

    def put_back() -> None:
        entry = fake.named("services", "web")
        mode = {"Replicated": {"Replicas": 4}}
        spec, version = {**entry["Spec"], "Mode": mode}, str(entry["Version"]["Index"])
        fake._update("services", entry, spec, {"version": version})

    fake.events.append((3.0, put_back))
    scale_back(fake, {"id-web": 4}, notes.append, fake.pause)
    assert (fake.replicas("web"), labels(fake), notes) == (4, {"mine": "1"}, [])


def test_a_service_that_is_gone_is_passed_over_and_one_without_a_mark_is_not_touched() -> None:
    fake = FakeSwarm()
    fake.have("web", {"a": 4})
    scale_back(fake, {"id-gone": 4, "id-web": 4}, print, fake.pause)
    assert fake.sent == []


def test_another_client_that_is_faster_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: one change by another client between read and write, and the revert fails."""
    fake = left({"a": 3, "b": 2})
    calm = fake._update

    def faster(kind: str, entry: Json, spec: Json, params: Json) -> Json:
        monkeypatch.setattr(fake, "_update", calm)
        entry["Version"]["Index"] += 1
        return calm(kind, entry, spec, params)

    monkeypatch.setattr(fake, "_update", faster)
    scale_back(fake, {"id-web": 4}, print, fake.pause)
    assert fake.replicas("web") == 4
