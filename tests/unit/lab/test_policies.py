"""A role may do what its policies allow, and nothing else."""

import json
from typing import Any

import pytest

from swarmctl.lab.access.policies import Verdict, judge

GROUP = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/web/1"


def verdict(
    *statements: dict[str, Any],
    action: str = "ec2:DescribeInstances",
    resource: str = "*",
    **context: str,
) -> Verdict:
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    known = {key.replace("__", ":"): (value,) for key, value in context.items()}
    return judge([document], action, [resource], known)


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


@pytest.mark.parametrize("action", ["ec2:DescribeInstances", "ec2:Describe*", "EC2:describe*", "*"])
def test_an_action_is_allowed_by_name_or_pattern(action: str) -> None:
    assert verdict(allow(["s3:GetObject", action])) is Verdict.ALLOWED


def test_an_action_that_no_statement_names_is_not_allowed() -> None:
    assert verdict(allow("ec2:DescribeVpcs")) is Verdict.NOT_ALLOWED
    assert verdict() is Verdict.NOT_ALLOWED


def test_a_denial_beats_every_permission() -> None:
    denial = allow("ec2:*") | {"Effect": "Deny"}
    assert verdict(allow("*"), denial) is Verdict.DENIED


def test_a_resource_must_match() -> None:
    register = {"action": "elasticloadbalancing:RegisterTargets", "resource": GROUP}
    patterns = ["arn:aws:elasticloadbalancing:*:*:targetgroup/web/*"]
    assert verdict(allow("*", patterns), **register) is Verdict.ALLOWED
    assert verdict(allow("*", GROUP.replace("web", "api")), **register) is Verdict.NOT_ALLOWED


def test_an_action_without_resource_needs_the_star() -> None:
    assert verdict(allow("*", GROUP)) is Verdict.NOT_ALLOWED


def test_all_but_the_named_actions_can_be_allowed() -> None:
    rest = {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}
    assert verdict(rest) is Verdict.ALLOWED
    assert verdict(rest, action="iam:CreateRole") is Verdict.NOT_ALLOWED


@pytest.mark.parametrize(
    ("operator", "wanted", "expected"),
    [
        ("StringEquals", "blue", Verdict.ALLOWED),
        ("StringEquals", ["red", "blue"], Verdict.ALLOWED),
        ("StringEquals", "bl*", Verdict.NOT_ALLOWED),
        ("StringLike", "bl*", Verdict.ALLOWED),
        ("StringNotEquals", "blue", Verdict.NOT_ALLOWED),
        ("ForAllValues:StringEquals", ["blue"], Verdict.ALLOWED),
        ("IpAddress", "10.0.0.0/8", Verdict.NOT_ALLOWED),  # not known here: never allows
    ],
)
def test_a_condition_on_a_tag_must_hold(operator: str, wanted: Any, expected: Verdict) -> None:
    statement = allow("*", Condition={operator: {"aws:ResourceTag/Colour": wanted}})
    assert verdict(statement, **{"aws__resourcetag/colour": "blue"}) is expected


def test_a_condition_on_a_tag_that_is_missing_does_not_hold() -> None:
    assert (
        verdict(allow("*", Condition={"StringEquals": {"aws:ResourceTag/Colour": "blue"}}))
        is Verdict.NOT_ALLOWED
    )
