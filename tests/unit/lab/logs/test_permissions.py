"""CloudWatch Logs in the lab, as on AWS: who may write, what is found, what is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from swarmctl.lab.access.call import Call
from swarmctl.lab.access.resources import resources
from swarmctl.lab.api import Api
from tests.unit.lab.test_roles import service

GROUP = "/swarmctl/shop/web"


@pytest.fixture
def writer(api: Api, endpoint: str) -> Iterator[Any]:
    """A node's client, whose role may write to the groups of the cluster ``shop``."""
    iam = service("iam", endpoint)
    iam.create_role(RoleName="writer", AssumeRolePolicyDocument="{}")
    statement = {
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": "arn:*:logs:eu-central-1:*:log-group:/swarmctl/shop/*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName="writer", PolicyName="logs", PolicyDocument=document)
    yield service("logs", endpoint, api._keys.of_role("writer", "i-1"))
    iam.delete_role_policy(RoleName="writer", PolicyName="logs")
    iam.delete_role(RoleName="writer")


def test_streams_and_groups_are_judged_by_their_arns() -> None:
    def named(action: str, **parameters: Any) -> tuple[str, ...]:
        return resources(Call("logs", action, parameters, "eu-central-1"), "123456789012")

    group = f"arn:aws:logs:eu-central-1:123456789012:log-group:{GROUP}"
    stream = {"logGroupName": GROUP, "logStreamName": "web.1"}
    assert named("PutLogEvents", **stream) == (f"{group}:log-stream:web.1",)
    assert named("CreateLogStream", **stream) == (f"{group}:log-stream:web.1",)
    assert named("DeleteLogGroup", logGroupName=GROUP) == (group,)
    assert named("ListTagsForResource", resourceArn=group) == (group,)
    assert named("DescribeLogGroups") == ("*",)


def test_a_role_writes_to_its_groups_only_and_nothing_else_waits_for_it(
    writer: Any, endpoint: str
) -> None:
    operator = service("logs", endpoint)
    for name in (GROUP, "/swarmctl/other/web"):
        operator.create_log_group(logGroupName=name, tags={"swarmctl:cluster": "shop"})
    writer.create_log_stream(logGroupName=GROUP, logStreamName="web.1")
    told = [{"timestamp": 1, "message": "x"}]
    writer.put_log_events(logGroupName=GROUP, logStreamName="web.1", logEvents=told)
    for call, more in (
        (writer.create_log_stream, {"logGroupName": "/swarmctl/other/web", "logStreamName": "a"}),
        (writer.create_log_group, {"logGroupName": "/swarmctl/shop/new", "tags": {"a": "b"}}),
        (writer.delete_log_group, {"logGroupName": GROUP}),
    ):
        with pytest.raises(ClientError, match="AccessDeniedException"):
            call(**more)
    for name in (GROUP, "/swarmctl/other/web"):
        operator.delete_log_group(logGroupName=name)


def test_events_are_found_by_the_beginning_of_their_streams_name_in_order(endpoint: str) -> None:
    """Broken: the lines of one service have those of all others among them."""
    logs, now = service("logs", endpoint), int(time.time() * 1000)
    logs.create_log_group(logGroupName=GROUP)
    for stream, moments in (("web.1", (1, 4)), ("web.2", (2, 3)), ("webs.1", (5,))):
        logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        told = [{"timestamp": now + at, "message": f"{stream} {at}"} for at in moments]
        logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=told)

    def found(prefix: str) -> list[str]:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=GROUP, logStreamNamePrefix=prefix, PaginationConfig={"PageSize": 1}
        )
        return [event["message"] for page in pages for event in page["events"]]

    assert found("web.") == ["web.1 1", "web.2 2", "web.2 3", "web.1 4"]
    assert found("api.") == []
    logs.delete_log_group(logGroupName=GROUP)


def test_a_retention_that_cloudwatch_does_not_have_is_refused(endpoint: str) -> None:
    logs = service("logs", endpoint)
    logs.create_log_group(logGroupName=GROUP)
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=1096)
    with pytest.raises(ClientError, match="InvalidParameterException"):
        logs.put_retention_policy(logGroupName=GROUP, retentionInDays=2)
    logs.delete_log_group(logGroupName=GROUP)
