"""The Cloud Map namespace of a cluster: made before discovery publishes in it, removed after it.

https://docs.aws.amazon.com/cloud-map/latest/dg/working-with-namespaces.html
"""

from __future__ import annotations

from typing import Any

from swarmctl.cloud.cloud_map import (
    API,
    CloudMap,
    cloud_map_client,
    ended,
    namespaces,
    tags_of,
)
from swarmctl.cloud.instances import CLUSTER_TAG
from swarmctl.cloud.words import CloudError, errors_in_words
from swarmctl.wait import wait_for

# A private namespace is a hosted zone of Route 53, which takes its time.
OPERATION_S = 180.0


def ensure_namespace(
    name: str, vpc: str, cluster: str, *, dry_run: bool = False, client: Any = None
) -> list[str]:
    """Make a private DNS namespace in a VPC unless it exists; returns the changes.

    Args:
        name: for example ``shop.internal``.
        vpc: where its names are answered.
        cluster: for its tag.
        dry_run: only say what would be made.
        client: boto3's; ``None`` for the environment's.

    Raises:
        CloudError: a call failed, or a namespace of that name is not this cluster's.
    """
    api = client or cloud_map_client()
    for namespace in namespaces(api):
        if namespace["Name"] == name:
            if tags_of(api, namespace["Arn"]).get(CLUSTER_TAG) == cluster:
                return []
            raise CloudError(
                f"the namespace {name} exists and has no tag {CLUSTER_TAG}={cluster}",
                "choose another name (discovery_namespace), or tag it if it is this cluster's",
            )
    if not dry_run:
        with errors_in_words(API):
            made = api.create_private_dns_namespace(
                Name=name,
                Vpc=vpc,
                CreatorRequestId=f"{cluster}/{name}/{vpc}",
                Description=f"Services of the Swarm {cluster}",
                Tags=[{"Key": CLUSTER_TAG, "Value": cluster}],
            )
        _await(api, f"the namespace {name}", made["OperationId"])
    return [f"+ namespace {name}"]


def remove_namespaces(cluster: str, *, dry_run: bool = False, client: Any = None) -> list[str]:
    """Remove the cluster's namespaces with what discovery published there; returns the changes.

    Works when no agent is left. A service that discovery did not make is left alone; its namespace
    cannot be removed then, which is an error.

    Raises:
        CloudError: a call failed, or a namespace is still in use.
    """
    api = client or cloud_map_client()
    lines: list[str] = []
    for namespace in namespaces(api):
        if tags_of(api, namespace["Arn"]).get(CLUSTER_TAG) != cluster:
            continue
        lines += _empty(api, CloudMap(namespace["Name"], api), dry_run=dry_run)
        lines.append(f"- namespace {namespace['Name']}")
        if not dry_run:
            with errors_in_words(API):
                removed = api.delete_namespace(Id=namespace["Id"])
            _await(api, f"the end of {namespace['Name']}", removed["OperationId"])
    return lines


def _empty(api: Any, cloud: CloudMap, *, dry_run: bool) -> list[str]:
    ours = [service for service in cloud.services() if cloud.owner(service)]
    found = [(service, instance.id) for service in ours for instance in cloud.instances(service)]
    if not dry_run:
        for operation in [cloud.deregister(service, id_) for service, id_ in found]:
            _await(api, "an instance to be deregistered", operation)
        for service in ours:
            cloud.delete(service)
    return [
        *(f"- {service.name} {id_}" for service, id_ in found),
        *(f"- service {service.name}" for service in ours),
    ]


def _await(api: Any, what: str, operation: str) -> None:
    wait_for(
        what,
        lambda: (ended(api, operation) or None, "the operation is under way"),
        timeout=OPERATION_S,
        interval=0.5,
    )
