"""AWS Cloud Map: the services and instances of one namespace.

The namespace itself is made by whoever makes what is static; this only looks it up.
https://docs.aws.amazon.com/cloud-map/latest/api/
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import botocore.config
import botocore.exceptions

from swarmctl.cloud.instances import CLUSTER_TAG
from swarmctl.cloud.session import aws_client, aws_session
from swarmctl.cloud.words import CloudError, errors_in_words

API = "Cloud Map"  # as messages name it
OWNER_TAG = "swarmctl:owner"
# A record that is withdrawn is forgotten after this many seconds by whoever asked for it.
TTL_S = 5

# Every call is safe to repeat. The caller tries again too, service by service: a throttled one
# should not hold a thread for long.
_CONFIG = botocore.config.Config(
    retries={"mode": "standard", "max_attempts": 4}, connect_timeout=5, read_timeout=20
)
# AWS allows a request's id so many characters.
_REQUEST_ID = 64


class OperationFailedError(CloudError):
    """Something that was begun did not succeed."""


@dataclass(frozen=True, slots=True)
class CloudService:
    """A service of the namespace."""

    id: str
    arn: str
    name: str
    records: frozenset[str]  # types of its DNS records: A, AAAA, SRV


@dataclass(frozen=True, slots=True)
class CloudInstance:
    """An instance of a service."""

    id: str
    attributes: Mapping[str, str]


class CloudMap:
    """A namespace. All methods raise ``CloudError`` when a call fails.

    Args:
        namespace: its name; it must exist.
        client: boto3's client; ``None`` for the environment's.
    """

    def __init__(self, namespace: str, client: Any = None) -> None:
        self._api: Any = client or cloud_map_client()
        self.namespace = namespace
        found = self._find()
        self._id = str(found["Id"])
        self._cluster = tags_of(self._api, str(found["Arn"])).get(CLUSTER_TAG, "")

    def services(self) -> tuple[CloudService, ...]:
        """All services of the namespace, whoever made them."""
        mine = [{"Name": "NAMESPACE_ID", "Values": [self._id], "Condition": "EQ"}]
        found = self._pages("list_services", "Services", Filters=mine)
        return tuple(
            CloudService(
                service["Id"],
                service["Arn"],
                service["Name"],
                frozenset(r["Type"] for r in service.get("DnsConfig", {}).get("DnsRecords", ())),
            )
            for service in found
        )

    def owner(self, service: CloudService) -> str:
        """Who made a service, by its tag; ``""`` when it has none."""
        return tags_of(self._api, service.arn).get(OWNER_TAG, "")

    def create(self, name: str, records: Iterable[str], owner: str) -> CloudService:
        """Make a service; repeating it with the same arguments is no error.

        Args:
            name: for SRV records ``_web._tcp``.
            records: types of its DNS records; SRV cannot be with others, nor changed later.
            owner: for the tag. The tag of the namespace's cluster is copied, for policies.
        """
        tags = {OWNER_TAG: owner} | ({CLUSTER_TAG: self._cluster} if self._cluster else {})
        types = sorted(records)
        dns = [{"Type": kind, "TTL": TTL_S} for kind in types]
        with errors_in_words(API):
            made = self._api.create_service(
                Name=name,
                NamespaceId=self._id,
                CreatorRequestId=hashlib.sha256(f"{owner}/{name}".encode()).hexdigest()[
                    :_REQUEST_ID
                ],
                DnsConfig={"DnsRecords": dns, "RoutingPolicy": "MULTIVALUE"},
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )["Service"]
        return CloudService(made["Id"], made["Arn"], name, frozenset(types))

    def delete(self, service: CloudService) -> None:
        """Remove a service without instances."""
        with errors_in_words(API):
            self._api.delete_service(Id=service.id)

    def instances(self, service: CloudService) -> tuple[CloudInstance, ...]:
        """The instances of a service, whoever registered them."""
        found = self._pages("list_instances", "Instances", ServiceId=service.id)
        return tuple(CloudInstance(i["Id"], dict(i.get("Attributes") or {})) for i in found)

    def discover(self, service: CloudService) -> tuple[CloudInstance, ...]:
        """The instances of a service as its clients get them: at most 1,000, the healthy ones."""
        with errors_in_words(API):
            found = self._api.discover_instances(
                NamespaceName=self.namespace, ServiceName=service.name, MaxResults=1000
            )["Instances"]
        return tuple(CloudInstance(i["InstanceId"], dict(i["Attributes"])) for i in found)

    def register(self, service: CloudService, id_: str, attributes: Mapping[str, str]) -> str:
        """Begin to register an instance, or to replace its attributes; returns the operation."""
        return self._begin(
            "register_instance",
            ServiceId=service.id,
            InstanceId=id_,
            Attributes=dict(attributes),
        )

    def deregister(self, service: CloudService, id_: str) -> str:
        """Begin to deregister an instance; returns the operation."""
        return self._begin("deregister_instance", ServiceId=service.id, InstanceId=id_)

    def ended(self, operation: str) -> bool:
        """See :func:`ended`."""
        return ended(self._api, operation)

    def _begin(self, call: str, **arguments: Any) -> str:
        """Begin an operation, or find the one that already does the same."""
        with errors_in_words(API):
            try:
                return str(getattr(self._api, call)(**arguments)["OperationId"])
            except botocore.exceptions.ClientError as fault:
                same = str(fault.response.get("DuplicateOperationId", ""))
                if fault.response.get("Error", {}).get("Code") != "DuplicateRequest" or not same:
                    raise
                return same

    def _find(self) -> dict[str, Any]:
        found = [n for n in namespaces(self._api) if n["Name"] == self.namespace]
        if len(found) != 1:
            many = "there is no" if not found else "there are several"
            raise CloudError(
                f"Cloud Map: {many} namespace {self.namespace}",
                f"create it: swarmctl discovery namespace create {self.namespace} "
                "--vpc VPC --cluster NAME",
            )
        return found[0]

    def _pages(self, call: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
        with errors_in_words(API):
            pages = self._api.get_paginator(call).paginate(**arguments)
            return [item for page in pages for item in page[key]]


def ended(api: Any, operation: str) -> bool:
    """Whether an operation has succeeded; ``False`` while it is under way.

    Raises:
        OperationFailedError: it failed.
        CloudError: AWS does not say.
    """
    with errors_in_words(API):
        found = api.get_operation(OperationId=operation)["Operation"]
    if found["Status"] == "FAIL":
        why = found.get("ErrorMessage") or found.get("ErrorCode") or "no reason given"
        raise OperationFailedError(f"Cloud Map: the operation {operation} failed: {why}")
    return bool(found["Status"] == "SUCCESS")


def namespaces(api: Any) -> list[dict[str, Any]]:
    """All namespaces of the region, as ListNamespaces has them."""
    with errors_in_words(API):
        pages = api.get_paginator("list_namespaces").paginate()
        return [each for page in pages for each in page["Namespaces"]]


def tags_of(api: Any, arn: str) -> dict[str, str]:
    """The tags of a namespace or service."""
    with errors_in_words(API):
        tags = api.list_tags_for_resource(ResourceARN=arn)["Tags"]
    return {str(tag["Key"]): str(tag["Value"]) for tag in tags}


def namespaces_of(cluster: str, client: Any = None) -> tuple[str, ...]:
    """The namespaces that have a cluster's tag.

    Raises:
        CloudError: a call failed.
    """
    api = client or cloud_map_client()
    return tuple(
        str(each["Name"])
        for each in namespaces(api)
        if tags_of(api, each["Arn"]).get(CLUSTER_TAG) == cluster
    )


def cloud_map_client() -> Any:
    """boto3's client for the environment's region and credentials."""
    session = aws_session()
    client = aws_client(session, "servicediscovery", _CONFIG)
    if not _is_address(urlsplit(client.meta.endpoint_url).hostname or ""):
        return client
    # DiscoverInstances puts `data-` before the host's name, which an address has not.
    plain = _CONFIG.merge(botocore.config.Config(inject_host_prefix=False))
    return aws_client(session, "servicediscovery", plain)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
