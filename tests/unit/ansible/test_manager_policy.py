"""The managers' role may do what the agent does, to what is its cluster's, and nothing else."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import botocore.session
import jinja2
import pytest
from botocore import xform_name

from swarmctl.lab.access.policies import Verdict, judge
from tests.unit.ansible.filters import ROOT

TEMPLATE = ROOT / "roles/ec2_iam/templates/discovery.json.j2"
POLICY = jinja2.Template(TEMPLATE.read_text(), undefined=jinja2.StrictUndefined).render(
    ec2_iam_cluster="shop", ec2_iam_region="eu-central-1", ec2_iam_load_balancer="shop"
)
CLOUD = ROOT / "swarmctl/cloud"
# Each service of AWS by its name in boto3, with the modules through which the agent calls it.
MODULES = {
    ("servicediscovery", "servicediscovery"): ["cloud_map.py"],
    ("elbv2", "elasticloadbalancing"): [
        "load_balancer.py", "target_groups.py", "listener_rules.py"
    ],
}  # fmt: skip
NOT_THE_AGENT = {"servicediscovery:DiscoverInstances"}  # `discovery check` asks as a client does
# Needed by a call, or made in the caller's name.
IMPLIED = {
    "elasticloadbalancing:AddTags",
    "servicediscovery:TagResource",
    "route53:ChangeResourceRecordSets",
    "route53:GetHostedZone",
    "route53:ListHostedZonesByName",
    "ec2:DescribeInstances",  # which instance is which node
}
OURS = {"swarmctl:cluster": "shop", "swarmctl:owner": "discovery"}
THEIRS = {"swarmctl:cluster": "other", "swarmctl:owner": "discovery"}
ELB = "elasticloadbalancing:eu-central-1:123456789012"
NAMES = "servicediscovery:eu-central-1:123456789012"


def called(path: Path, service: str) -> set[str]:
    """The operations of a service whose names a module has, as boto3 writes them."""
    model = botocore.session.get_session().get_service_model(service)
    known = {xform_name(operation): operation for operation in model.operation_names}
    words = {
        node.attr if isinstance(node, ast.Attribute) else str(node.value)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute | ast.Constant)
    }
    return {operation for word, operation in known.items() if word in words}


def test_each_action_that_the_agent_calls_is_allowed_and_no_other() -> None:
    wanted = IMPLIED | {
        f"{prefix}:{operation}"
        for (service, prefix), modules in MODULES.items()
        for module in modules
        for operation in called(CLOUD / module, service)
    }
    listed: set[str] = set()
    for statement in json.loads(POLICY)["Statement"]:
        actions = statement["Action"]
        listed |= {actions} if isinstance(actions, str) else set(actions)
    assert listed == wanted - NOT_THE_AGENT


def verdict(action: str, resource: str, **context: dict[str, str]) -> Verdict:
    """Whether the policy allows a call; ``asked`` and ``tags``: of the request, the resource."""
    known = {
        "aws:requestedregion": ["eu-central-1"],
        **{f"aws:requesttag/{k}": [v] for k, v in context.get("asked", {}).items()},
        **{f"aws:resourcetag/{k}": [v] for k, v in context.get("tags", {}).items()},
    }
    return judge([POLICY], action, [resource], known)


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("DeleteTargetGroup", f"{ELB}:targetgroup/shop-web-1/1", "tags"),
        ("RegisterTargets", f"{ELB}:targetgroup/shop-web-1/1", "tags"),
        ("CreateTargetGroup", f"{ELB}:targetgroup/shop-web-1/*", "asked"),
        ("CreateRule", f"{ELB}:listener/app/shop/1/2", "asked"),
        ("SetRulePriorities", f"{ELB}:listener-rule/app/shop/1/2/3", "tags"),
        ("CreateService", f"{NAMES}:namespace/ns-1", "tags"),
        ("DeleteService", f"{NAMES}:service/srv-1", "tags"),
        ("RegisterInstance", f"{NAMES}:service/srv-1", "tags"),
        ("DeregisterInstance", f"{NAMES}:service/srv-1", "tags"),
        ("TagResource", f"{NAMES}:service/srv-1", "asked"),
    ],
)
def test_only_what_has_the_clusters_tags_may_be_changed(
    action: str, resource: str, context: str
) -> None:
    where, call = f"arn:aws:{resource}", f"{resource.partition(':')[0]}:{action}"
    allowed: Any = {context: OURS}
    foreign: Any = {context: THEIRS}
    assert verdict(call, where, **allowed) is Verdict.ALLOWED
    assert verdict(call, where, **foreign) is Verdict.NOT_ALLOWED
    assert verdict(call, where) is Verdict.NOT_ALLOWED


@pytest.mark.parametrize(("kind", "tags"), [("service", THEIRS), ("namespace", {})])
def test_no_other_clusters_service_and_no_namespace_can_be_tagged_as_the_clusters(
    kind: str, tags: dict[str, str]
) -> None:
    """Broken: a manager tags what is not its cluster's, and may delete it then."""
    where = f"arn:aws:{NAMES}:{kind}/x-1"
    tagging = verdict("servicediscovery:TagResource", where, asked=OURS, tags=tags)
    assert tagging is Verdict.NOT_ALLOWED


def test_rules_are_made_on_the_clusters_load_balancer_only() -> None:
    where = f"arn:aws:{ELB}:listener/app/other/1/2"
    assert verdict("elasticloadbalancing:CreateRule", where, asked=OURS) is Verdict.NOT_ALLOWED


@pytest.mark.parametrize(
    "action", ["ec2:TerminateInstances", "iam:PassRole", "elasticloadbalancing:DeleteLoadBalancer"]
)
def test_the_agent_may_do_nothing_else(action: str) -> None:
    assert verdict(action, "*", tags=OURS) is Verdict.NOT_ALLOWED


def test_the_token_with_which_nodes_pull_gives_images_and_takes_none() -> None:
    template = TEMPLATE.with_name("registry.json.j2").read_text()
    policy = jinja2.Template(template, undefined=jinja2.StrictUndefined).render(
        ec2_iam_region="eu-central-1"
    )
    here = {"aws:requestedregion": ["eu-central-1"]}
    images = "arn:aws:ecr:eu-central-1:123456789012:repository/shop/web"
    assert judge([policy], "ecr:GetAuthorizationToken", ["*"], here) is Verdict.ALLOWED
    for action in ("BatchGetImage", "GetDownloadUrlForLayer"):
        assert judge([policy], f"ecr:{action}", [images], here) is Verdict.ALLOWED
    for action in ("PutImage", "BatchDeleteImage", "InitiateLayerUpload"):
        assert judge([policy], f"ecr:{action}", [images], here) is Verdict.NOT_ALLOWED
