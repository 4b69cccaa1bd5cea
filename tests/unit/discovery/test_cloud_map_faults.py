"""The Cloud Map listener when AWS, a service or the process itself fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import botocore.exceptions
import pytest

from swarmctl.cloud.cloud_map import OperationFailedError
from swarmctl.cloud.words import CloudError
from swarmctl.discovery.edition import Edition
from swarmctl.discovery.listeners.listener import PublishError
from swarmctl.errors import SwarmctlError
from tests.unit.discovery.cloud_api import BOTH, NONE, REPLACED, Api, Killed, edition
from tests.unit.discovery.shop import labelled, port, shop
from tests.unit.engine_json import task

WEB = {"task1", "task2"}


def with_auth(web: Sequence[str] = ("task1", "task2")) -> Edition:
    """``shop_auth`` with one task, and these of ``shop_web``."""
    auth = labelled("shop_auth", [port(3000, 3000)])
    given = shop(auth, more_tasks=(task("shop_auth", "wkr_1", 1, id="auth1"),))
    kept = tuple(t for t in given.tasks if t.id in (*web, "auth1"))
    return edition(replace(given, tasks=kept))


def run_for(api: Api, seconds: float, newest: Callable[[], Edition]) -> None:
    """What an outlet does: publish, and again when the listener asks for it."""
    until = api.now + seconds
    while api.now < until:
        try:
            api.listener.publish(newest())
            api.pass_time(min(api.listener.refresh_s or 1.0, until - api.now + 0.001))
        except PublishError as fault:
            api.pass_time(fault.retry_s)
        except SwarmctlError:
            api.pass_time(1.0)


@pytest.mark.parametrize("error", ["InternalFailure", "ThrottlingException"])
def test_a_minute_of_errors_is_followed_by_the_wanted_state(api: Api, error: str) -> None:
    api.writes(BOTH)
    api.fault = CloudError(f"Cloud Map refused RegisterInstance: {error}")
    run_for(api, 60, lambda: REPLACED)
    api.fault = None
    assert set(api.instances("shop-web")) == WEB
    run_for(api, 61, lambda: REPLACED)
    assert set(api.instances("shop-web")) == {"task1", "task3"}
    assert api.writes(REPLACED) == {}


def test_a_poisoned_service_holds_up_no_later_change_of_another(api: Api) -> None:
    """Broken: one name that AWS refuses, and no other service follows the Swarm any more."""
    api.poisoned = "shop-auth"
    with pytest.raises(PublishError):
        api.listener.publish(with_auth())
    assert set(api.instances("shop-web")) == WEB
    api.calls.clear()
    with pytest.raises(PublishError, match="shop-auth: it is poisoned"):
        api.listener.publish(with_auth(web=["task2"]))
    assert set(api.instances("shop-web")) == {"task2"}
    assert api.calls["CreateService"] == 0  # the poisoned one waits


def test_one_refused_instance_does_not_keep_out_the_others_of_its_service(api: Api) -> None:
    real = api.cloud.register

    def refuse(service: object, id_: str, attributes: object) -> str:
        if id_ == "task1":
            raise CloudError("a value is no ASCII")
        return real(service, id_, attributes)  # type: ignore[arg-type]  # as they came

    api.cloud.register = refuse  # type: ignore[method-assign]  # refuses one
    with pytest.raises(PublishError, match="shop-web: a value is no ASCII"):
        api.listener.publish(BOTH)
    assert set(api.instances("shop-web")) == {"task2"}


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_at_any_call_leaves_nothing_that_the_next_process_does_not_mend(
    api: Api, moment: str
) -> None:
    """Broken: an instance of a dead task stays for ever, or is registered twice."""
    states = [BOTH, with_auth(), REPLACED, NONE, BOTH]
    for before, after in pairwise(states):
        for call in range(1, 200):
            api.new_listener().publish(before)
            api.calls.clear()
            api.killed_at = (moment, call)
            try:
                api.new_listener().publish(after)
                break  # there were fewer calls
            except Killed:
                api.killed_at = ("", 0)
                api.new_listener().publish(after)
                assert api.all_instances() == wanted(after), f"killed {moment} call {call}"
        api.killed_at = ("", 0)


def wanted(given: Edition) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for endpoint in given.catalogue.endpoints:
        for name in (endpoint.name, f"_{endpoint.name}._tcp"):
            found.setdefault(name, []).append(endpoint.id)
    return {name: sorted(ids) for name, ids in found.items()}


def test_two_agents_at_once_do_no_harm(api: Api) -> None:
    one, two = api.new_listener(), api.new_listener()
    for given in (BOTH, REPLACED, with_auth(), NONE, BOTH):
        for listener in (one, two):
            try:
                listener.publish(given)
            except PublishError:
                api.pass_time(1)
                listener.publish(given)
    api.pass_time(301)
    for listener in (one, two):
        listener.publish(BOTH)
    assert api.all_instances() == wanted(BOTH)


def test_an_operation_that_never_ends_delays_no_other_change(api: Api) -> None:
    """Broken: no change of any service is published for a minute."""
    api.stuck = {"task1"}
    api.listener.publish(BOTH)
    assert api.now <= 3
    assert api.listener.refresh_s == 1
    api.listener.publish(with_auth())
    assert set(api.instances("shop-auth")) == {"auth1"}
    assert api.now <= 6


def test_an_operation_that_never_ends_is_given_up_and_made_anew(api: Api) -> None:
    api.stuck = {"task1"}
    run_for(api, 40, lambda: BOTH)
    assert api.listener.refresh_s == 1
    api.pass_time(25)
    with pytest.raises(PublishError, match="task1: no end of its operation after 60 s"):
        api.listener.publish(BOTH)
    api.stuck = set()
    run_for(api, 10, lambda: BOTH)
    assert api.all_instances() == wanted(BOTH)
    assert api.writes(BOTH) == {}


def test_an_instances_id_is_not_used_again_before_its_last_operation_has_ended(api: Api) -> None:
    """Broken: AWS carries out the old deregistration after the new registration."""
    api.writes(BOTH)
    one = edition(shop(tasks=[task("shop_web", "wkr_2", 2, id="task2", ports=[port(80, 32768)])]))
    api.stuck = {"task1"}
    api.listener.publish(one)  # deregisters it
    assert api.writes(BOTH) == {}  # wanted again, but not yet
    api.stuck = set()
    assert api.writes(BOTH) == {"RegisterInstance": 2}
    assert api.all_instances() == wanted(BOTH)


def test_an_operation_that_failed_is_made_again_after_what_is_there_was_read(api: Api) -> None:
    ended = api.cloud.ended
    failing = {"left": 1}

    def fail(operation: str) -> bool:
        if failing["left"]:
            failing["left"] -= 1
            raise OperationFailedError(f"the operation {operation} failed: THROTTLED")
        return ended(operation)

    api.cloud.ended = fail  # type: ignore[method-assign]  # fails once
    with pytest.raises(PublishError, match="failed: THROTTLED"):
        api.listener.publish(BOTH)
    run_for(api, 5, lambda: BOTH)
    assert api.all_instances() == wanted(BOTH)


def test_an_operation_whose_end_aws_never_says_is_given_up(api: Api) -> None:
    """Broken: its instance is never registered again, nor taken away."""
    ended = api.cloud.ended

    def refuse(operation: str) -> bool:
        raise SwarmctlError("Cloud Map refused GetOperation: OperationNotFound")

    api.cloud.ended = refuse  # type: ignore[method-assign]  # as AWS may
    run_for(api, 90, lambda: BOTH)
    one = edition(shop(tasks=[task("shop_web", "wkr_2", 2, id="task2", ports=[port(80, 32768)])]))
    run_for(api, 90, lambda: one)
    assert api.all_instances() == wanted(one)
    api.cloud.ended = ended  # type: ignore[method-assign]
    run_for(api, 70, lambda: one)
    assert api.writes(one) == {}


def test_what_is_already_being_done_is_waited_for(api: Api) -> None:
    """AWS: DuplicateRequest, when a process before this one began the same."""
    response = {"Error": {"Code": "DuplicateRequest"}, "DuplicateOperationId": "op-1"}
    fault = botocore.exceptions.ClientError(response, "RegisterInstance")  # type: ignore[arg-type]  # its stub wants more
    (service,) = [api.cloud.create("x", ["A"], "swarm_app")]

    def refuse(model: object, **_: object) -> None:
        if getattr(model, "name", "") == "RegisterInstance":
            raise fault

    api.client.meta.events.register("before-call", refuse)
    assert api.cloud.register(service, "i", {"AWS_INSTANCE_IPV4": "10.0.0.1"}) == "op-1"


def test_a_services_request_id_is_never_longer_than_aws_allows(api: Api) -> None:
    """Broken: services with long names are refused for ever."""
    ids: list[str] = []
    api.client.meta.events.register(
        "provide-client-params", lambda params, **_: ids.append(params.get("CreatorRequestId", ""))
    )
    for name in ("a" * 60, f"_{'a' * 55}._tcp"):
        api.cloud.create(name, ["SRV" if name.startswith("_") else "A"], "o" * 25)
    assert [len(each) for each in ids] == [64, 64]
    assert len(set(ids)) == 2


def test_an_unchanged_swarm_costs_no_call_until_all_is_read_again(api: Api) -> None:
    api.writes(BOTH)
    api.calls.clear()
    for _ in range(10):
        api.listener.publish(BOTH)
    assert api.calls.total() == 0
    assert api.listener.refresh_s == 300
    api.pass_time(301)
    api.listener.publish(BOTH)
    assert dict(api.calls) == {"ListServices": 1, "ListInstances": 2}
