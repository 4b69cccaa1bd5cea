"""``discovery check`` asks Cloud Map what its clients get."""

from __future__ import annotations

from functools import partial

import pytest

from swarmctl.cloud.cloud_map import CloudMap, namespaces_of
from swarmctl.cloud.instances import CLUSTER_TAG
from swarmctl.cloud.words import CloudError
from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.check.cloud_map import CloudMapSource
from swarmctl.discovery.check.compare import compare
from swarmctl.discovery.check.find import in_cloud_map
from swarmctl.swarm.model import Swarm
from tests.unit.discovery.check.test_check import WELL
from tests.unit.discovery.cloud_api import BOTH, Api
from tests.unit.discovery.shop import shop

OWNER = "swarm_app"


def disagreements(api: Api, swarm: Swarm) -> list[tuple[str, str, str, str]]:
    """What Cloud Map and the Swarm differ on."""
    found = catalogue(swarm)
    source = CloudMapSource(lambda: api.cloud, OWNER)
    published = source.ask({endpoint.name for endpoint in found.endpoints})
    every = compare(swarm, found, (published,), WELL)
    return [(d.source, d.name, d.place, d.text) for d in every]


def test_what_the_agent_registered_agrees(api: Api) -> None:
    api.listener.publish(BOTH)
    assert disagreements(api, shop()) == []


def test_an_endpoint_is_wanted_in_both_of_its_services(api: Api) -> None:
    api.listener.publish(BOTH)
    (srv,) = [s for s in api.cloud.services() if s.name == "_shop-web._tcp"]
    api.cloud.deregister(srv, "task2")
    text = "serves, but is not named"
    assert disagreements(api, shop()) == [("Cloud Map", "_shop-web._tcp", "10.42.0.6:32768", text)]


def test_services_that_nothing_wants_any_more_are_stale_and_those_of_others_are_not(
    api: Api,
) -> None:
    """Broken: a check says that all agree while clients are sent to a removed service."""
    api.listener.publish(BOTH)
    theirs = api.cloud.create("warehouse", ["A"], "somebody")
    api.cloud.register(theirs, "w1", {"AWS_INSTANCE_IPV4": "10.9.9.9", "AWS_INSTANCE_PORT": "80"})
    names = {name for _, name, _, text in disagreements(api, shop(tasks=[])) if "is named" in text}
    assert names == {"shop-web", "_shop-web._tcp"}


def test_a_namespace_is_found_by_its_clusters_tag(api: Api) -> None:
    (arn,) = [n["Arn"] for n in api.client.list_namespaces()["Namespaces"]]
    api.client.tag_resource(ResourceARN=arn, Tags=[{"Key": CLUSTER_TAG, "Value": "swarm_app"}])
    assert namespaces_of("swarm_app", api.client) == ("shop.internal",)
    assert namespaces_of("swarm", api.client) == ()
    find = partial(namespaces_of, client=api.client)
    assert len(in_cloud_map("swarm_app", OWNER, None, find)) == 1
    assert in_cloud_map("other", OWNER, None, find) == ()
    assert len(in_cloud_map("other", OWNER, "shop.internal", find)) == 1


def test_a_cloud_map_that_cannot_be_asked_is_a_disagreement(api: Api) -> None:
    def refused(cluster: str) -> tuple[str, ...]:
        raise CloudError(f"no permission for {cluster}")

    (source,) = in_cloud_map("swarm_app", OWNER, None, refused)
    assert source.ask([]).fault == "cannot be asked for namespaces: no permission for swarm_app"
    gone = CloudMapSource(lambda: CloudMap("gone", api.client), OWNER).ask([])
    assert "there is no namespace gone" in gone.fault


@pytest.mark.parametrize(
    ("endpoint", "asked"),
    [("http://127.0.0.1:9", "http://127.0.0.1:9"), ("http://aws.test:9", "http://data-aws.test:9")],
)
def test_an_endpoint_that_is_an_address_is_asked_without_a_prefix(
    endpoint: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: nothing that is asked of a lab's API finds it."""
    from swarmctl.cloud import cloud_map

    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    urls: list[str] = []
    client = cloud_map.cloud_map_client()

    def sent(request: object, **_: object) -> None:
        urls.append(str(getattr(request, "url", "")))
        raise RuntimeError

    client.meta.events.register("before-send", sent)
    with pytest.raises(RuntimeError):
        client.discover_instances(NamespaceName="n", ServiceName="s")
    assert urls[0].startswith(asked)
