"""Elastic Load Balancing: a cluster's application load balancer and its listeners.

They are made by the playbooks; target groups and rules follow the Swarm.
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.config

from swarmctl.cloud.instances import CLUSTER_TAG
from swarmctl.cloud.pace import Pace
from swarmctl.cloud.session import aws_client, aws_session
from swarmctl.cloud.words import CloudError, errors_in_words

OWNER_TAG, SERVICE_TAG = "swarmctl:owner", "swarmctl:service"
OWNER = "discovery"  # the value of the tag

# The caller tries again too, service by service: a throttled one should not hold a thread for long.
_CONFIG = botocore.config.Config(
    retries={"mode": "standard", "max_attempts": 4}, connect_timeout=5, read_timeout=20
)
_TAGS_A_CALL = 20

Tags = Mapping[str, str]


class LoadBalancingError(CloudError):
    """A call failed."""


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """An application load balancer."""

    arn: str
    name: str
    dns_name: str
    vpc: str


@dataclass(frozen=True, slots=True)
class HttpListener:
    """A port of it that forwards requests."""

    arn: str
    protocol: str  # HTTP or HTTPS
    port: int

    @property
    def name(self) -> str:
        """As messages name it: ``HTTP:80``."""
        return f"{self.protocol}:{self.port}"


class Paces:
    """How fast calls are made: a little slower than AWS allows an account.

    It allows 40 reads at once and 10 a second, 20 changes and 3 a second, 20 changes of targets and
    4 a second.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html

    Args:
        pause: lets seconds pass; replaced in tests.
    """

    def __init__(self, pause: Callable[[float], None] = time.sleep) -> None:
        self._reads = Pace(36, 9.5, pause=pause)
        self._changes = Pace(16, 2.9, pause=pause)
        self._registrations = Pace(18, 3.9, pause=pause)

    def take(self, operation: str) -> None:
        """Wait until one more such call is allowed."""
        if operation.startswith("describe"):
            self._reads.take()
        elif operation.endswith("register_targets"):
            self._registrations.take()
        else:
            self._changes.take()


_PACES = Paces()  # AWS counts an account's calls, whichever object of this process makes them


class ElbApi:
    """The API of one region. All methods raise ``LoadBalancingError`` when a call fails.

    Args:
        client: boto3's client; ``None`` for the environment's, with all others of this process in
            one pace.
        pause: lets seconds pass; replaced in tests.
    """

    def __init__(self, client: Any = None, pause: Callable[[float], None] = time.sleep) -> None:
        self._api: Any = client or new_client()
        self._paces = Paces(pause) if client else _PACES

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """One call."""
        self._paces.take(operation)
        with errors_in_words("Elastic Load Balancing", LoadBalancingError):
            answer: dict[str, Any] = getattr(self._api, operation)(**arguments)
            return answer

    def pages(self, operation: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
        """All pages of a listing; each is a call."""
        found: list[dict[str, Any]] = []
        self._paces.take(operation)
        with errors_in_words("Elastic Load Balancing", LoadBalancingError):
            for page in self._api.get_paginator(operation).paginate(**arguments):
                found += page[key]
                if page.get("NextMarker"):
                    self._paces.take(operation)
        return found

    def tags(self, arns: Iterable[str]) -> dict[str, dict[str, str]]:
        """The tags of each of these."""
        todo, found = list(arns), dict[str, dict[str, str]]()
        while todo:
            some, todo = todo[:_TAGS_A_CALL], todo[_TAGS_A_CALL:]
            for each in self.call("describe_tags", ResourceArns=some)["TagDescriptions"]:
                found[each["ResourceArn"]] = {t["Key"]: t["Value"] for t in each["Tags"]}
        return found


def find_load_balancer(api: ElbApi, cluster: str) -> LoadBalancer | None:
    """The application load balancer with the cluster's tag, or ``None``.

    Raises:
        LoadBalancingError: a call failed, or there are several.
    """
    listed = api.pages("describe_load_balancers", "LoadBalancers")
    every = {lb["LoadBalancerArn"]: lb for lb in listed if lb["Type"] == "application"}
    tags = api.tags(every)
    ours = [lb for arn, lb in every.items() if tags.get(arn, {}).get(CLUSTER_TAG) == cluster]
    if len(ours) > 1:
        names = ", ".join(sorted(lb["LoadBalancerName"] for lb in ours))
        raise LoadBalancingError(
            f"the cluster {cluster} has several application load balancers: {names}",
            f"take the tag {CLUSTER_TAG} from all but one",
        )
    return next((_load_balancer(lb) for lb in ours), None)


def http_listeners(api: ElbApi, balancer: LoadBalancer) -> tuple[HttpListener, ...]:
    """Its listeners whose default action is not a redirect, by port."""
    listed = api.pages("describe_listeners", "Listeners", LoadBalancerArn=balancer.arn)
    found = (
        HttpListener(raw["ListenerArn"], raw["Protocol"], int(raw["Port"]))
        for raw in listed
        if raw.get("Protocol") in ("HTTP", "HTTPS")
        and all(action["Type"] != "redirect" for action in raw.get("DefaultActions", ()))
    )
    return tuple(sorted(found, key=lambda each: each.port))


def own_tags(cluster: str, service: str) -> list[dict[str, str]]:
    """The tags of what discovery makes for a service."""
    tags = {CLUSTER_TAG: cluster, OWNER_TAG: OWNER, SERVICE_TAG: service}
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def owned_service(tags: Tags, cluster: str) -> str | None:
    """The service for which discovery made something; ``None`` if it is not this cluster's."""
    ours = tags.get(CLUSTER_TAG) == cluster and tags.get(OWNER_TAG) == OWNER
    return tags.get(SERVICE_TAG, "") if ours else None


def _load_balancer(raw: Mapping[str, Any]) -> LoadBalancer:
    return LoadBalancer(
        raw["LoadBalancerArn"], raw["LoadBalancerName"], raw["DNSName"], raw["VpcId"]
    )


def new_client() -> Any:
    """boto3's client of the environment's region.

    Raises:
        CloudError: no region is configured, or no usable endpoint.
    """
    return aws_client(aws_session(), "elbv2", _CONFIG)
