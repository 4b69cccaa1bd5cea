"""A cluster's namespace is made once, and removed with all that discovery published in it."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from swarmctl.cloud.cloud_map import CloudMap, namespaces, tags_of
from swarmctl.cloud.namespaces import ensure_namespace, remove_namespaces
from swarmctl.cloud.words import CloudError
from swarmctl.discovery.listeners.cloud_map.listener import CloudMapListener
from tests.unit.discovery.cloud_api import BOTH, Api

NAME = "shop.internal"


@pytest.fixture
def client(api: Api) -> Any:
    """The API, without the namespace that the other tests publish in."""
    (old,) = namespaces(api.client)
    api.client.delete_namespace(Id=old["Id"])
    return api.client


@pytest.fixture
def vpc(api: Api) -> str:
    ec2 = boto3.client("ec2", "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    return str(ec2.create_vpc(CidrBlock="10.42.0.0/16")["Vpc"]["VpcId"])


def test_a_namespace_is_made_once_and_a_dry_run_makes_none(client: Any, vpc: str) -> None:
    assert ensure_namespace(NAME, vpc, "shop", dry_run=True, client=client) == [
        "+ namespace shop.internal"
    ]
    assert namespaces(client) == []
    assert ensure_namespace(NAME, vpc, "shop", client=client) == ["+ namespace shop.internal"]
    assert ensure_namespace(NAME, vpc, "shop", client=client) == []
    (made,) = namespaces(client)
    assert tags_of(client, made["Arn"]) == {"swarmctl:cluster": "shop"}


def test_another_clusters_namespace_is_refused_and_never_removed(client: Any, vpc: str) -> None:
    ensure_namespace(NAME, vpc, "other", client=client)
    with pytest.raises(CloudError, match="has no tag swarmctl:cluster=shop"):
        ensure_namespace(NAME, vpc, "shop", client=client)
    assert remove_namespaces("shop", client=client) == []
    assert len(namespaces(client)) == 1


def test_services_carry_their_clusters_tag_and_go_with_the_namespace(client: Any, vpc: str) -> None:
    """Broken: the agent may not change what it made, or a dead agent's names stay for ever."""
    ensure_namespace(NAME, vpc, "shop", client=client)
    cloud = CloudMap(NAME, client)
    CloudMapListener(cloud, "swarm-id").publish(BOTH)
    assert {
        tuple(sorted(tags_of(client, service.arn).items())) for service in cloud.services()
    } == {(("swarmctl:cluster", "shop"), ("swarmctl:owner", "swarm-id"))}
    planned = remove_namespaces("shop", dry_run=True, client=client)
    assert len(cloud.services()) == 2
    assert remove_namespaces("shop", client=client) == planned
    assert planned[-1] == "- namespace shop.internal"
    assert len(planned) == 7  # four instances, two services, the namespace
    assert namespaces(client) == []
    assert client.list_services()["Services"] == []


def test_what_discovery_did_not_make_is_left(client: Any, vpc: str) -> None:
    ensure_namespace(NAME, vpc, "shop", client=client)
    (namespace,) = namespaces(client)
    client.create_service(Name="theirs", NamespaceId=namespace["Id"])
    planned = remove_namespaces("shop", dry_run=True, client=client)
    assert planned == ["- namespace shop.internal"]
