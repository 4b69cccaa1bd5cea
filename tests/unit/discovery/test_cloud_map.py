"""The Cloud Map listener against the API that the lab has."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.parsers import ResponseParserError

from swarmctl.cloud.cloud_map import CloudMap
from swarmctl.cloud.words import CloudError
from swarmctl.errors import SwarmctlError
from tests.unit.discovery.cloud_api import BOTH, NONE, REPLACED, Api, edition
from tests.unit.discovery.shop import labelled, port, shop
from tests.unit.engine_json import task


def test_a_name_becomes_a_service_for_addresses_and_one_for_ports(api: Api) -> None:
    assert api.writes(BOTH) == {"CreateService": 2, "RegisterInstance": 4}
    assert {(s.name, s.records) for s in api.cloud.services()} == {
        ("shop-web", frozenset({"A"})),
        ("_shop-web._tcp", frozenset({"SRV"})),
    }
    for name in ("shop-web", "_shop-web._tcp"):
        found = api.instances(name)
        assert set(found) == {"task1", "task2"}
        assert found["task2"]["AWS_INSTANCE_IPV4"] == "10.42.0.6"
        assert found["task2"]["AWS_INSTANCE_PORT"] == "32768"
        assert found["task2"]["zone"] == "eu-1b"


def test_an_unchanged_swarm_writes_nothing_also_in_a_new_process(api: Api) -> None:
    api.writes(BOTH)
    assert api.writes(BOTH) == {}
    api.listener = api.new_listener()
    assert api.writes(BOTH) == {}


def test_a_replaced_task_is_one_register_and_one_deregister_in_each_service(api: Api) -> None:
    api.writes(BOTH)
    assert api.writes(REPLACED) == {"RegisterInstance": 2, "DeregisterInstance": 2}
    assert set(api.instances("shop-web")) == {"task1", "task3"}


def test_an_instance_whose_port_the_managers_forgot_stays(api: Api) -> None:
    """Broken: after a change of leader, names of what serves are empty."""
    api.writes(BOTH)
    lost = [task("shop_web", "wkr_1", 1, id="task1"), task("shop_web", "wkr_2", 2, id="task2")]
    assert api.listener.changes(edition(shop(tasks=lost))) == []
    assert api.writes(edition(shop(tasks=lost))) == {}
    assert api.writes(edition(shop(tasks=lost[:1]))) == {"DeregisterInstance": 2}
    assert set(api.instances("shop-web")) == {"task1"}


def test_all_changes_are_begun_before_any_is_waited_for(api: Api) -> None:
    """Broken: a hundred services take a hundred times the seconds of one operation."""
    order: list[str] = []
    api.client.meta.events.register(
        "before-parameter-build", lambda model, **_: order.append(model.name)
    )
    many = [labelled(f"shop_s{n}", [port(80, 80 + n)]) for n in range(5)]
    tasks = tuple(task(f"shop_s{n}", "wkr_1", 1) for n in range(5))
    api.listener.publish(edition(shop(*many, more_tasks=tasks)))
    last_write = max(i for i, name in enumerate(order) if name == "RegisterInstance")
    assert order.index("GetOperation") > last_write


def test_a_removed_stack_leaves_nothing(api: Api) -> None:
    api.writes(BOTH)
    assert api.writes(NONE) == {"DeregisterInstance": 4, "DeleteService": 2}
    assert api.cloud.services() == ()


def test_what_another_owner_made_is_never_touched(api: Api) -> None:
    theirs = api.cloud.create("shop-web", ["A"], "somebody")
    api.cloud.register(theirs, "foreign", {"AWS_INSTANCE_IPV4": "10.9.9.9"})
    api.cloud.create("empty", ["A"], "somebody")
    api.writes(BOTH)
    api.writes(NONE)
    assert {s.name for s in api.cloud.services()} == {"shop-web", "empty"}
    assert set(api.instances("shop-web")) == {"foreign"}


def test_an_instance_id_that_another_owner_has_is_an_error_and_left_alone(api: Api) -> None:
    theirs = api.cloud.create("shop-web", ["A"], "somebody")
    api.cloud.register(theirs, "task1", {"AWS_INSTANCE_IPV4": "10.9.9.9"})
    with pytest.raises(SwarmctlError, match="shop-web: task1: registered by another owner"):
        api.listener.publish(BOTH)
    assert api.instances("shop-web")["task1"] == {"AWS_INSTANCE_IPV4": "10.9.9.9"}


def test_a_service_that_fails_does_not_stop_the_others_and_is_tried_again(api: Api) -> None:
    both = edition(
        shop(
            labelled("shop_auth", [port(3000, 3000)]),
            more_tasks=(task("shop_auth", "wkr_1", 1, id="task9"),),
        )
    )
    api.poisoned = "shop-auth"
    with pytest.raises(SwarmctlError, match="shop-auth: it is poisoned"):
        api.listener.publish(both)
    assert set(api.instances("shop-web")) == {"task1", "task2"}
    api.poisoned = ""
    api.pass_time(0.6)
    assert api.writes(both) == {"CreateService": 2, "RegisterInstance": 2}


def test_after_a_failure_only_what_failed_is_read_again(api: Api) -> None:
    """Broken: one poisoned name has the whole namespace listed twice a second."""
    both = edition(
        shop(
            labelled("shop_auth", [port(3000, 3000)]),
            more_tasks=(task("shop_auth", "wkr_1", 1, id="task9"),),
        )
    )
    api.poisoned = "shop-auth"
    for _ in range(2):
        api.calls.clear()
        with pytest.raises(SwarmctlError, match="it is poisoned"):
            api.listener.publish(both)
        api.pass_time(1)
    assert api.calls["ListServices"] == 1
    assert api.calls["ListInstances"] == 0
    api.poisoned = ""
    assert api.writes(both) == {"CreateService": 2, "RegisterInstance": 2}
    assert api.writes(both) == {}


def test_what_was_removed_behind_its_back_comes_back_when_it_is_read_again(api: Api) -> None:
    api.writes(BOTH)
    (service,) = [s for s in api.cloud.services() if s.name == "shop-web"]
    api.cloud.deregister(service, "task1")
    assert api.writes(BOTH) == {}
    api.pass_time(301)
    assert api.writes(BOTH) == {"RegisterInstance": 1}


def test_a_namespace_that_does_not_exist_is_named_with_the_command_that_makes_it(api: Api) -> None:
    with pytest.raises(CloudError, match="there is no namespace other") as caught:
        CloudMap("other", api.client)
    assert "discovery namespace create other" in caught.value.hint


def test_an_answer_that_cannot_be_read_is_an_error_in_words(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: a proxy's page in place of an answer ends the agent."""

    def paginate(*_: Any) -> Any:
        raise ResponseParserError("Unable to parse response: <html>" + "x" * 50_000)

    monkeypatch.setattr(api.client, "get_paginator", paginate)
    with pytest.raises(CloudError, match="Cloud Map gave an answer that cannot be read") as caught:
        api.cloud.services()
    assert len(caught.value.message) < 600
