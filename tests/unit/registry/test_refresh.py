"""Pull credentials are renewed where they must be, and nothing else is touched."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.registry import renewed
from swarmctl.registry.credentials import Credentials
from swarmctl.registry.refresh import Result, Situation, plan
from swarmctl.swarm.engine import EngineError, Json
from tests.unit.engine_fake import FakeEngine, object_spec
from tests.unit.registry.refreshing import AT, HOST, FakeKeyring, Tasks, add, labels, run


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


@pytest.mark.parametrize(
    ("life", "hours", "result"),
    [
        (2, 0.7, Result.NOT_DUE),
        (2, 1.1, Result.RENEWED),
        (0, 4, Result.NOT_DUE),  # a password: as if it lasted for 12 hours
        (0, 6.1, Result.RENEWED),
    ],
)
def test_their_life_is_what_the_registry_says(life: float, hours: float, result: Result) -> None:
    engine = FakeEngine()
    add(engine, labels=labels(hours))
    assert run(engine, life=life)["shop_web"].result == result


def test_it_is_known_when_they_are_due_next() -> None:
    engine = FakeEngine()
    add(engine, labels=labels(1))
    first = run(engine)["shop_web"].due_in
    renewed_one = run(engine, older_than=timedelta(hours=0))["shop_web"]
    assert first is not None
    assert timedelta(hours=3.5) <= first <= timedelta(hours=5)
    assert (renewed_one.result, renewed_one.due_in) == (Result.RENEWED, timedelta())


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


def test_a_login_to_docker_hub_goes_only_to_services_that_were_deployed_with_it() -> None:
    engine = FakeEngine()
    add(engine, image="httpd:2.4")
    add(engine, "own", image="team/own:1", labels=labels(7, "docker.io"))
    items = plan(
        engine.store["services"].values(),
        Situation({"docker.io": Credentials("docker.io", "me", "s3cret")}, AT),
    )
    assert [item.service for item in items] == ["shop_own"]


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


@pytest.mark.parametrize(
    ("name", "state", "words"),
    [
        (
            "web",
            "paused",
            "its update is paused (deploy it again, or go back: swarmctl stack rollback shop "
            "shop_web)",
        ),
        ("web", "updating", "it is being updated (the next refresh renews it)"),
        ("", "rollback_paused", "its rollback is paused (docker service update or rollback alone)"),
    ],
)
def test_it_says_why_a_service_is_left_alone_and_what_to_do(
    name: str, state: str, words: str
) -> None:
    engine = FakeEngine()
    service = add(engine, labels=labels(7))
    service["UpdateStatus"] = {"State": state}
    if not name:  # of no stack
        service["Spec"]["Name"] = "alone"
        del service["Spec"]["Labels"]["com.docker.stack.namespace"]
    (item,) = run(engine).values()
    assert item.line().endswith(f" are 7 h 0 min old: {words}")


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
    item = run(engine)["shop_web"]
    assert item.result == Result.LEFT_ALONE
    assert item.line().endswith(": it is a job: an update would run it again")
    assert updates(engine) == []


@pytest.mark.parametrize(
    "policy", [{"Condition": "on-failure"}, {"Condition": "any", "MaxAttempts": 3}]
)
@pytest.mark.parametrize("place", ["Slot", "NodeID"])
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
    tasks: list[tuple[int, str, str]], result: Result, place: str, policy: Json
) -> None:
    engine = Tasks()
    service = add(engine)
    service["Spec"]["TaskTemplate"]["RestartPolicy"] = policy
    engine.tasks = [
        {"ServiceID": service["ID"], place: s, "DesiredState": d, "Status": {"State": state}}
        for s, d, state in tasks
    ]
    item = run(engine)["shop_web"]
    assert (item.result, item.bad) == (result, False)
    if result == Result.LEFT_ALONE:
        assert item.line().endswith(": a task of it has ended: an update would start it again")


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
    assert item.line() == f"shop_web: renewed; credentials for {HOST} were of unknown age"
    engine.time = (AT + timedelta(seconds=90)).isoformat()
    (item,) = run(engine).values()
    assert item.line() == f"shop_web: not due; credentials for {HOST} are 1 min 30 s old"


def _encoded(content: Json) -> str:
    return base64.b64encode(json.dumps(content).encode()).decode()
