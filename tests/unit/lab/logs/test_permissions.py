"""CloudWatch Logs in the lab: a role writes to the streams that its policy names, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from swarmctl.lab.access.call import Call
from swarmctl.lab.access.resources import resources
from swarmctl.lab.api import Api
from tests.unit.lab.conftest import client
from tests.unit.lab.test_roles import Role, service

GROUP = "/swarmctl/shop/web"


@pytest.fixture
def role(api: Api, endpoint: str) -> Iterator[Role]:
    made = Role(api, endpoint)
    yield made
    client(endpoint).terminate_instances(InstanceIds=[made.instance["InstanceId"]])


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
    role: Role, endpoint: str
) -> None:
    operator = service("logs", endpoint)
    for name in (GROUP, "/swarmctl/other/web"):
        operator.create_log_group(logGroupName=name, tags={"swarmctl:cluster": "shop"})
    role.may(
        {
            "Sid": "write",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": "arn:*:logs:eu-central-1:*:log-group:/swarmctl/shop/*",
        }
    )
    logs = role.client("logs")
    logs.create_log_stream(logGroupName=GROUP, logStreamName="web.1")
    told = [{"timestamp": 1, "message": "x"}]
    logs.put_log_events(logGroupName=GROUP, logStreamName="web.1", logEvents=told)
    for call, more in (
        (logs.create_log_stream, {"logGroupName": "/swarmctl/other/web", "logStreamName": "a"}),
        (logs.create_log_group, {"logGroupName": "/swarmctl/shop/new", "tags": {"a": "b"}}),
        (logs.delete_log_group, {"logGroupName": GROUP}),
    ):
        with pytest.raises(ClientError, match="AccessDeniedException"):
            call(**more)
    for name in (GROUP, "/swarmctl/other/web"):
        operator.delete_log_group(logGroupName=name)
