"""The Cloud Map listener against the API that the lab has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import moto
import pytest

from swarmctl.cloud.cloud_map import CloudMap
from swarmctl.cloud.instances import CloudError
from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.edition import Edition, follow
from swarmctl.discovery.listeners.cloud_map import CloudMapListener
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Swarm
from tests.unit.discovery.shop import labelled, port, shop
from tests.unit.engine_json import task

WRITES = ("RegisterInstance", "DeregisterInstance", "CreateService", "DeleteService")


class Api:
    """moto's API with the calls counted, and calls that fail on demand."""

    def __init__(self) -> None:
        self.client: Any = boto3.client(
            "servicediscovery",
            region_name="eu-central-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        self.calls: Counter[str] = Counter()
        self.poisoned = ""
        self.client.meta.events.register("before-parameter-build", self._called)
        self.client.create_http_namespace(Name="shop.internal")
        self.cloud = CloudMap("shop.internal", self.client, lambda _: None)
        self.listener = CloudMapListener(self.cloud, "swarm_app")

    def _called(self, params: Any, model: Any, **_: Any) -> None:
        self.calls[model.name] += 1
        if self.poisoned and self.poisoned in str(params) and model.name == "CreateService":
            raise CloudError("it is poisoned")

    def writes(self, edition: Edition) -> dict[str, int]:
        """The writing calls that publishing an edition made."""
        self.calls.clear()
        self.listener.publish(edition)
        return {name: self.calls[name] for name in WRITES if self.calls[name]}

    def instances(self, name: str) -> dict[str, dict[str, str]]:
        """The instances of a service, read anew."""
        (service,) = [s for s in self.cloud.services() if s.name == name]
        return {i.id: dict(i.attributes) for i in self.cloud.instances(service)}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)  # a lab's, which may be up
    with moto.mock_aws():
        yield Api()


def edition(swarm: Swarm) -> Edition:
    return follow(None, catalogue(swarm), (), 1)


BOTH = edition(shop())
REPLACED = edition(
    shop(
        tasks=[
            task("shop_web", "wkr_1", 1, id="task1", ports=[port(80, 32768)]),
            task("shop_web", "wkr_2", 2, id="task3", ports=[port(80, 32769)]),
        ]
    )
)
NONE = edition(shop(tasks=[]))


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
    api.listener = CloudMapListener(api.cloud, "swarm_app")
    assert api.writes(BOTH) == {}


def test_a_replaced_task_is_one_register_and_one_deregister_in_each_service(api: Api) -> None:
    api.writes(BOTH)
    assert api.writes(REPLACED) == {"RegisterInstance": 2, "DeregisterInstance": 2}
    assert set(api.instances("shop-web")) == {"task1", "task3"}


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
    with pytest.raises(SwarmctlError, match="shop-web/task1: registered by another owner"):
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
    assert api.writes(both) == {"CreateService": 2, "RegisterInstance": 2}


def test_what_was_removed_behind_its_back_comes_back_when_it_is_read_again(api: Api) -> None:
    now = [0.0]
    api.listener.clock = lambda: now[0]
    api.writes(BOTH)
    (service,) = [s for s in api.cloud.services() if s.name == "shop-web"]
    api.cloud.deregister(service, "task1")
    assert api.writes(BOTH) == {}
    now[0] = 301
    assert api.writes(BOTH) == {"RegisterInstance": 1}


def test_a_namespace_that_does_not_exist_is_named_with_the_command_that_makes_it(api: Api) -> None:
    with pytest.raises(CloudError, match="there is no namespace other") as caught:
        CloudMap("other", api.client)
    assert "create-private-dns-namespace" in caught.value.hint
