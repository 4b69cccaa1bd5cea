"""A service's former version survives the refreshes of its credentials."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from swarmctl.registry import former, renewed
from swarmctl.swarm.engine import Json
from tests.unit.engine_fake import FakeEngine, service_spec
from tests.unit.registry.refreshing import add, run


def changed(engine: FakeEngine) -> Json:
    """A service that was changed once."""
    service = add(engine)
    spec = json.loads(json.dumps(service["Spec"]))
    spec["TaskTemplate"]["ContainerSpec"]["Env"] = ["NEW=1"]
    version = {"version": str(service["Version"]["Index"])}
    engine.send("POST", f"/services/{service['ID']}/update", spec, params=version)
    return service


def kept(engine: FakeEngine) -> list[Json]:
    return [config for config in engine.get("/configs") if former.is_kept(config)]


def test_the_former_version_survives_refreshes() -> None:
    engine = FakeEngine()
    service = changed(engine)
    first = json.loads(json.dumps(service["PreviousSpec"]))
    assert former.find(service, ()) == first
    for _ in range(2):
        run(engine, older_than=timedelta())
        assert former.find(service, engine.get("/configs")) == first
    assert len(kept(engine)) == 1


def test_a_service_that_was_never_changed_has_no_former_version() -> None:
    engine = FakeEngine()
    service = add(engine)
    for _ in range(2):
        run(engine, older_than=timedelta())
    assert former.find(service, engine.get("/configs")) is None
    assert kept(engine) == []


def test_the_next_change_replaces_the_former_version() -> None:
    engine = FakeEngine()
    service = changed(engine)
    run(engine)
    spec = json.loads(json.dumps(service["Spec"]))
    spec["TaskTemplate"]["ContainerSpec"]["Env"] = ["NEW=2"]
    version = {"version": str(service["Version"]["Index"])}
    engine.send("POST", f"/services/{service['ID']}/update", spec, params=version)
    for _ in range(2):
        run(engine, older_than=timedelta())
    found = former.find(service, engine.get("/configs"))
    assert found
    assert found["TaskTemplate"]["ContainerSpec"]["Env"] == ["NEW=1"]
    assert len(kept(engine)) == 1


def test_a_removed_services_former_version_is_removed() -> None:
    engine = FakeEngine()
    service = changed(engine)
    run(engine)
    del engine.store["services"][service["ID"]]
    run(engine)
    assert kept(engine) == []


def test_the_former_version_is_kept_before_the_update_that_loses_it() -> None:
    engine = FakeEngine()
    changed(engine)
    engine.sent.clear()
    run(engine)
    assert [sent.rpartition("/")[2] for sent in engine.sent] == ["create", "update"]


def test_values_that_another_manager_leaves_out_make_no_other_version() -> None:
    spec = service_spec("web")
    other = {**spec, "EndpointSpec": {"Ports": None}, "RollbackConfig": None}
    assert former.digest(spec) == former.digest(other)
    assert former.digest(spec) != former.digest({**spec, "EndpointSpec": {"Mode": "dnsrr"}})
    assert former.digest(spec) == former.digest(renewed.stamped(spec, datetime.now(UTC)))
