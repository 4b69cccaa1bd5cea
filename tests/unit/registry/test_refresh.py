"""Pull credentials are renewed where they must be, and nothing else is touched."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.registry import former, renewed
from swarmctl.registry.credentials import Credentials, Keyring
from swarmctl.registry.refresh import Item, Result, refresh
from swarmctl.swarm.engine import EngineError, Json
from tests.unit.engine_fake import NOW, FakeEngine, object_spec, service_spec

HOST = "registry.example:5000"
IMAGE = f"{HOST}/team/web:1"
AT = datetime.fromisoformat(NOW)


class FakeKeyring(Keyring):
    """Knows one registry, whose credentials are good for 12 hours."""

    def __init__(self, fault: SwarmctlError | None = None) -> None:
        super().__init__()
        self.fault = fault

    def find(self, host: str, *, docker: bool = True) -> Credentials | None:
        del docker
        if self.fault:
            raise self.fault
        if host != HOST:
            return None
        return Credentials(HOST, "AWS", "s3cret", expires_at=AT + timedelta(hours=12))


class Tasks(FakeEngine):
    """Has tasks, too."""

    tasks: list[Json]

    def get(self, path: str, **filters: list[str]) -> Any:
        if path == "/tasks":
            return [task for task in self.tasks if task["ServiceID"] in filters["service"]]
        return super().get(path, **filters)


def add(engine: FakeEngine, name: str = "web", image: str = IMAGE, **more: Any) -> Json:
    """A service that exists; its JSON may be changed."""
    labels = more.pop("labels", {})
    spec = service_spec(name, image=image, **more)
    spec["Labels"] |= labels
    return engine.store["services"][engine.add("services", spec)]


def labels(hours_ago: float, host: str = HOST) -> dict[str, str]:
    at = AT - timedelta(hours=hours_ago)
    return {renewed.RENEWED: at.isoformat(), renewed.HOST: host}


def run(engine: FakeEngine, *names: str, **options: Any) -> dict[str, Item]:
    fault = options.pop("fault", None)
    return {
        item.service: item
        for item in refresh(engine, names, keyring=lambda: FakeKeyring(fault), **options)
    }


def updates(engine: FakeEngine) -> list[str]:
    return [sent for sent in engine.sent if "/update" in sent]


def test_credentials_of_unknown_age_are_sent_with_the_spec_as_it_is() -> None:
    engine = FakeEngine()
    service = add(engine)
    before = json.loads(json.dumps(service["Spec"]))
    assert run(engine)["shop_web"].result == Result.RENEWED
    assert engine.sent[-1] == f"POST /services/{service['ID']}/update"
    assert engine.auths[-1] == FakeKeyring().find(HOST).header()  # type: ignore[union-attr]
    assert renewed.without(service["Spec"]) == before
    assert renewed.read(service["Spec"]) == renewed.Renewed(HOST, AT.replace(microsecond=0))


def test_one_write_a_service_and_none_a_second_time() -> None:
    engine = FakeEngine()
    add(engine)
    engine.sent.clear()
    run(engine)
    assert len(engine.sent) == 1
    assert run(engine)["shop_web"].result == Result.NOT_DUE
    assert len(engine.sent) == 1


@pytest.mark.parametrize(
    ("hours", "result"), [(4, Result.NOT_DUE), (6.1, Result.RENEWED), (20, Result.RENEWED)]
)
def test_credentials_are_renewed_before_half_of_their_life(hours: float, result: Result) -> None:
    engine = FakeEngine()
    add(engine, labels=labels(hours))
    assert run(engine)["shop_web"].result == result


def test_services_become_due_at_different_times_and_none_later_than_half_of_their_life() -> None:
    engine = FakeEngine()
    for number in range(20):
        add(engine, f"web{number}", labels=labels(5.25))
    results = [item.result for item in run(engine).values()]
    assert 0 < results.count(Result.RENEWED) < 20


def test_a_given_age_is_exact() -> None:
    engine = FakeEngine()
    add(engine, labels=labels(2))
    assert run(engine, older_than=timedelta(hours=3))["shop_web"].result == Result.NOT_DUE
    assert run(engine, older_than=timedelta(hours=1))["shop_web"].result == Result.RENEWED


def test_labels_of_another_registry_tell_nothing() -> None:
    engine = FakeEngine()
    add(engine, labels=labels(0.1, "old.example"))
    assert run(engine)["shop_web"].result == Result.RENEWED


def test_services_of_registries_without_credentials_are_not_touched() -> None:
    engine = FakeEngine()
    add(engine, image="httpd:2.4")
    assert run(engine) == {}
    assert updates(engine) == []


@pytest.mark.parametrize("state", ["updating", "paused", "rollback_started", "rollback_paused"])
def test_the_state_of_an_update_is_not_cleared(state: str) -> None:
    engine = FakeEngine()
    service = add(engine, labels=labels(7))
    service["UpdateStatus"] = {"State": state}
    item = run(engine)["shop_web"]
    assert (item.result, item.bad) == (Result.LEFT_ALONE, False)
    assert item.age is not None
    assert item.age >= timedelta(hours=7)
    assert item.detail
    assert item.remedy
    assert updates(engine) == []


def test_a_paused_service_whose_credentials_have_ended_is_an_error() -> None:
    engine = FakeEngine()
    add(engine, labels=labels(13))["UpdateStatus"] = {"State": "paused"}
    assert run(engine)["shop_web"].bad


@pytest.mark.parametrize("state", ["completed", "rollback_completed"])
def test_a_finished_update_keeps_no_service_from_being_renewed(state: str) -> None:
    engine = FakeEngine()
    add(engine)["UpdateStatus"] = {"State": state}
    assert run(engine)["shop_web"].result == Result.RENEWED


def test_a_stack_that_is_being_deployed_is_left_alone() -> None:
    engine = FakeEngine()
    add(engine)
    content = {"owner": {"user": "u", "host": "h", "pid": 1, "doing": "deploy"}, "seconds": 60}
    lock = object_spec("swarmctl-lock-shop", data=_encoded(content))
    engine.add("configs", {**lock, "Labels": {"swarmctl.lock": "shop"}})
    assert run(engine)["shop_web"].result == Result.LEFT_ALONE
    engine.time = (AT + timedelta(seconds=61)).isoformat()
    assert run(engine)["shop_web"].result == Result.RENEWED


def test_a_job_is_not_run_again() -> None:
    engine = FakeEngine()
    add(engine)["Spec"]["Mode"] = {"ReplicatedJob": {}}
    assert run(engine)["shop_web"].result == Result.LEFT_ALONE
    assert updates(engine) == []


@pytest.mark.parametrize(
    ("tasks", "result"),
    [
        ([(1, "shutdown", "complete")], Result.LEFT_ALONE),
        ([(1, "running", "running"), (2, "shutdown", "failed")], Result.LEFT_ALONE),
        ([(1, "shutdown", "failed"), (1, "running", "running")], Result.RENEWED),
        ([(1, "shutdown", "failed"), (1, "ready", "preparing")], Result.RENEWED),
    ],
)
def test_an_ended_task_is_not_started_again(
    tasks: list[tuple[int, str, str]], result: Result
) -> None:
    engine = Tasks()
    service = add(engine)
    service["Spec"]["TaskTemplate"]["RestartPolicy"] = {"Condition": "on-failure"}
    engine.tasks = [
        {"ServiceID": service["ID"], "Slot": s, "DesiredState": d, "Status": {"State": state}}
        for s, d, state in tasks
    ]
    item = run(engine)["shop_web"]
    assert (item.result, item.bad) == (result, False)


def test_an_error_of_one_service_stops_no_other() -> None:
    engine = FakeEngine()
    first, _ = add(engine, "a"), add(engine, "b")
    engine.refuse[f"POST /services/{first['ID']}/update"] = "no space left"
    found = run(engine)
    assert found["shop_a"].result == Result.FAILED
    assert "no space left" in found["shop_a"].detail
    assert found["shop_a"].bad
    assert found["shop_b"].result == Result.RENEWED


def test_a_service_that_is_removed_meanwhile_stops_no_other() -> None:
    class Raced(FakeEngine):
        def send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
            if self.store["services"].pop("services-1", None):
                raise EngineError("update out of sequence", 500)
            return super().send(method, path, body, **options)

        def get(self, path: str, **filters: list[str]) -> Any:
            if path == "/services/services-1":
                raise EngineError("service services-1 not found", 404)
            return super().get(path, **filters)

    engine = FakeEngine()
    add(engine, "a"), add(engine, "b")
    engine.__class__ = Raced
    found = run(engine)
    assert (found["shop_a"].result, found["shop_b"].result) == (Result.FAILED, Result.RENEWED)


def test_a_service_whose_tasks_are_started_only_once_is_left_alone() -> None:
    engine = Tasks()
    engine.tasks = []
    add(engine)["Spec"]["TaskTemplate"]["RestartPolicy"] = {"Condition": "none"}
    assert run(engine)["shop_web"].result == Result.LEFT_ALONE


def test_a_service_that_changed_its_registry_meanwhile_is_not_touched() -> None:
    class Raced(FakeEngine):
        def send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
            service["Version"] = {"Index": 99}
            service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] = "httpd:2.4"
            return super().send(method, path, body, **options)

    engine = FakeEngine()
    service = add(engine)
    engine.__class__ = Raced
    assert run(engine)["shop_web"].result == Result.NOT_DUE
    assert service["Version"] == {"Index": 99}


def test_a_registry_that_gives_no_token_is_said_for_each_of_its_services() -> None:
    engine = FakeEngine()
    add(engine)
    item = run(engine, fault=SwarmctlError("no token", "look at the role"))["shop_web"]
    assert (item.result, item.detail, item.remedy) == (
        Result.FAILED,
        "no token",
        "look at the role",
    )


def test_of_two_at_once_the_slower_one_writes_nothing() -> None:
    class Raced(FakeEngine):
        raced = False

        def send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
            if "/update" in path and not self.raced:
                self.raced = True
                run(self)  # the faster one
            return super().send(method, path, body, **options)

    engine = Raced()
    add(engine)
    assert run(engine)["shop_web"].result == Result.NOT_DUE
    assert len(updates(engine)) == 2  # the second one was refused


def test_an_update_that_was_faster_and_paused_stays_paused() -> None:
    class Raced(FakeEngine):
        def send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
            service["Version"] = {"Index": 99}
            service["UpdateStatus"] = {"State": "paused"}
            return super().send(method, path, body, **options)

    engine = FakeEngine()
    service = add(engine)
    engine.__class__ = Raced
    assert run(engine)["shop_web"].result == Result.LEFT_ALONE
    assert service["Version"] == {"Index": 99}


def test_a_dry_run_writes_nothing() -> None:
    engine = FakeEngine()
    add(engine)
    engine.sent.clear()
    assert run(engine, dry_run=True)["shop_web"].result == Result.DUE
    assert engine.sent == []


def test_only_the_named_services_are_renewed() -> None:
    engine = FakeEngine()
    add(engine, "a"), add(engine, "b")
    assert set(run(engine, "shop_b")) == {"shop_b"}
    with pytest.raises(UsageError, match="shop_x"):
        run(engine, "shop_x")


def test_no_line_shows_a_password() -> None:
    engine = FakeEngine()
    add(engine)
    (item,) = run(engine).values()
    assert "s3cret" not in item.line() + repr(item)
    assert HOST in item.line()


# --- the former version ---


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


def _encoded(content: Json) -> str:
    return base64.b64encode(json.dumps(content).encode()).decode()
