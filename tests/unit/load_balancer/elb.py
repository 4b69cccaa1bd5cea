"""Elastic Load Balancing as the API's pages describe it, behind boto3's real client.

moto's differs where it matters here: targets are known by instance alone, transforms are dropped,
nothing drains. https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore import xform_name
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

Asked = dict[str, Any]

VPC = "vpc-1"
WRITES = (
    "CreateTargetGroup", "ModifyTargetGroup", "ModifyTargetGroupAttributes", "DeleteTargetGroup",
    "RegisterTargets", "DeregisterTargets", "CreateRule", "ModifyRule", "SetRulePriorities",
    "DeleteRule",
)  # fmt: skip
_DEFAULTS = {
    "HealthCheckPath": "/", "HealthCheckIntervalSeconds": 30, "HealthCheckTimeoutSeconds": 5,
    "HealthyThresholdCount": 5, "UnhealthyThresholdCount": 2, "HealthCheckPort": "traffic-port",
    "HealthCheckProtocol": "HTTP", "HealthCheckEnabled": True, "Matcher": {"HttpCode": "200"},
}  # fmt: skip
_ATTRIBUTES = {
    "deregistration_delay.timeout_seconds": "300", "stickiness.enabled": "false",
    "stickiness.type": "lb_cookie", "stickiness.lb_cookie.duration_seconds": "86400",
    "slow_start.duration_seconds": "0", "load_balancing.algorithm.type": "round_robin",
}  # fmt: skip


class RefusedError(Exception):
    """``args``: AWS's error code and a message."""


@dataclass
class Group:
    raw: dict[str, Any]
    attributes: dict[str, str]
    targets: dict[tuple[str, int], str] = field(default_factory=dict)  # their state


class FakeElb:
    """The API; ``hook`` is called before each call, and may raise ``RefusedError``."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.log: list[tuple[str, dict[str, Any]]] = []
        self.hook: Callable[[str, dict[str, Any]], None] = lambda name, arguments: None
        self.balancers: dict[str, dict[str, Any]] = {}
        self.listeners: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, Group] = {}
        self.rules: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.running = {"i-mgr1", "i-wkr1", "i-wkr2"}
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self.client: Any = boto3.client(
            "elbv2",
            region_name="eu-central-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        self.client.meta.events.register("before-call.elastic-load-balancing-v2", self._called)
        self.client.meta.events.register(
            "before-parameter-build.elastic-load-balancing-v2", self._remember
        )
        self._arguments = threading.local()

    def add_balancer(self, name: str, cluster: str = "", kind: str = "application") -> str:
        """A load balancer with one listener, HTTP:80."""
        arn = f"arn:lb/{name}"
        self.balancers[arn] = {
            "LoadBalancerArn": arn, "LoadBalancerName": name, "Type": kind, "VpcId": VPC,
            "DNSName": f"{name}.elb.example",
        }  # fmt: skip
        self.tags[arn] = {"swarmctl:cluster": cluster} if cluster else {}
        self.add_listener(arn, 80)
        return arn

    def add_listener(self, balancer: str, port: int, default: str = "fixed-response") -> str:
        arn = f"{balancer}/listener/{port}"
        self.listeners[arn] = {
            "ListenerArn": arn, "LoadBalancerArn": balancer, "Port": port,
            "Protocol": "HTTPS" if port == 443 else "HTTP", "DefaultActions": [{"Type": default}],
        }  # fmt: skip
        return arn

    def writes(self, publish: Callable[[], object]) -> dict[str, int]:
        """The writing calls that a function made."""
        self.calls.clear()
        publish()
        return {name: self.calls[name] for name in WRITES if self.calls[name]}

    def targets(self, part: str) -> set[tuple[str, int]]:
        """The registered targets of the only group whose name has this part."""
        (group,) = [g for g in self.groups.values() if part in g.raw["TargetGroupName"]]
        return {place for place, state in group.targets.items() if state != "draining"}

    def routing(self) -> list[tuple[int, str]]:
        """The rules in order: priority and first path."""
        rules = sorted(self.rules.values(), key=lambda r: int(r["Priority"]))
        return [
            (int(r["Priority"]), r["Conditions"][-1]["PathPatternConfig"]["Values"][0])
            for r in rules
        ]

    def _remember(self, params: dict[str, Any], **_: Any) -> None:
        self._arguments.value = params

    def _called(self, model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        arguments: dict[str, Any] = self._arguments.value
        status = 200
        with self._lock:
            self.calls[model.name] += 1
            self.log.append((model.name, arguments))
        try:
            self.hook(model.name, arguments)
            with self._lock:
                method = getattr(self, f"_{xform_name(model.name)}")
                answer: dict[str, Any] = method(arguments) or {}
        except RefusedError as fault:
            status, answer = 400, {"Error": {"Code": fault.args[0], "Message": fault.args[1]}}
        metadata = {"HTTPStatusCode": status, "RetryAttempts": 0}
        return AWSResponse("", status, HTTPHeaders(), None), {
            **answer,
            "ResponseMetadata": metadata,
        }

    def _describe_load_balancers(self, asked: Asked) -> dict[str, Any]:
        return {"LoadBalancers": list(self.balancers.values())}

    def _describe_listeners(self, asked: Asked) -> dict[str, Any]:
        if asked["LoadBalancerArn"] not in self.balancers:
            raise RefusedError("LoadBalancerNotFound", "it was deleted")
        found = self.listeners.values()
        return {"Listeners": [x for x in found if x["LoadBalancerArn"] == asked["LoadBalancerArn"]]}

    def _describe_tags(self, asked: Asked) -> dict[str, Any]:
        if len(asked["ResourceArns"]) > 20:
            raise RefusedError("ValidationError", "at most 20")
        listed = [
            {"ResourceArn": a, "Tags": [{"Key": k, "Value": v} for k, v in self.tags[a].items()]}
            for a in asked["ResourceArns"]
        ]
        return {"TagDescriptions": listed}

    def _describe_target_groups(self, asked: Asked) -> dict[str, Any]:
        raws = [g.raw for g in self.groups.values()]
        if names := asked.get("Names"):
            raws = [raw for raw in raws if raw["TargetGroupName"] in names]
            if len(raws) < len(names):
                raise RefusedError("TargetGroupNotFound", "not all of them exist")
        return {"TargetGroups": raws}

    def _describe_target_group_attributes(self, asked: Asked) -> dict[str, Any]:
        found = self._group(asked["TargetGroupArn"]).attributes
        return {"Attributes": [{"Key": k, "Value": v} for k, v in found.items()]}

    def _describe_target_health(self, asked: Asked) -> dict[str, Any]:
        reasons = {"draining": "Target.DeregistrationInProgress"}
        listed = [
            {
                "Target": {"Id": id_, "Port": port},
                "TargetHealth": {"State": state, "Reason": reasons.get(state, "")},
            }
            for (id_, port), state in self._group(asked["TargetGroupArn"]).targets.items()
        ]
        return {"TargetHealthDescriptions": listed}

    def _describe_rules(self, asked: Asked) -> dict[str, Any]:
        default = {
            "RuleArn": f"{asked['ListenerArn']}/default",
            "Priority": "default",
            "IsDefault": True,
        }
        found = [
            r
            for r in self.rules.values()
            if r["RuleArn"].startswith(f"{asked['ListenerArn']}/rule/")
        ]
        return {"Rules": [*found, {**default, "Conditions": [], "Actions": []}]}

    def _create_target_group(self, asked: Asked) -> dict[str, Any]:
        if len(asked["Name"]) > 32:
            raise RefusedError("ValidationError", "the name is longer than 32 characters")
        if any(g.raw["TargetGroupName"] == asked["Name"] for g in self.groups.values()):
            raise RefusedError("DuplicateTargetGroupName", f"{asked['Name']} exists already")
        arn = f"arn:tg/{asked['Name']}/{next(self._ids)}"
        raw = {
            **_DEFAULTS,
            "TargetGroupArn": arn,
            "TargetGroupName": asked["Name"],
            **_without(asked, "Name", "Tags"),
        }
        self.groups[arn] = Group(raw, dict(_ATTRIBUTES))
        self.tags[arn] = {tag["Key"]: tag["Value"] for tag in asked["Tags"]}
        return {"TargetGroups": [raw]}

    def _modify_target_group(self, asked: Asked) -> None:
        self._group(asked["TargetGroupArn"]).raw.update(_without(asked, "TargetGroupArn"))

    def _modify_target_group_attributes(self, asked: Asked) -> None:
        group = self._group(asked["TargetGroupArn"])
        group.attributes |= {each["Key"]: each["Value"] for each in asked["Attributes"]}

    def _delete_target_group(self, asked: Asked) -> None:
        if any(
            r["Actions"][0].get("TargetGroupArn") == asked["TargetGroupArn"]
            for r in self.rules.values()
        ):
            raise RefusedError("ResourceInUse", "a rule uses it")
        self.groups.pop(asked["TargetGroupArn"], None)

    def _register_targets(self, asked: Asked) -> None:
        if any(t["Id"] not in self.running for t in asked["Targets"]):
            raise RefusedError("InvalidTarget", "some instances are not running")
        for target in asked["Targets"]:
            self._group(asked["TargetGroupArn"]).targets[target["Id"], target["Port"]] = "healthy"

    def _deregister_targets(self, asked: Asked) -> None:
        targets = self._group(asked["TargetGroupArn"]).targets
        for target in asked["Targets"]:
            if (target["Id"], target["Port"]) in targets:
                targets[target["Id"], target["Port"]] = "draining"

    def _create_rule(self, asked: Asked) -> dict[str, Any]:
        self._free(asked["ListenerArn"], asked["Priority"], ())
        self._group(asked["Actions"][0]["TargetGroupArn"])
        arn = f"{asked['ListenerArn']}/rule/{next(self._ids)}"
        self.rules[arn] = {
            "RuleArn": arn,
            "Priority": str(asked["Priority"]),
            **_without(asked, "ListenerArn", "Priority", "Tags"),
        }
        self.tags[arn] = {tag["Key"]: tag["Value"] for tag in asked["Tags"]}
        return {"Rules": [self.rules[arn]]}

    def _modify_rule(self, asked: Asked) -> None:
        if asked.get("ResetTransforms"):
            self._rule(asked["RuleArn"]).pop("Transforms", None)
        self._rule(asked["RuleArn"]).update(_without(asked, "RuleArn", "ResetTransforms"))

    def _set_rule_priorities(self, asked: Asked) -> None:
        moved = [each["RuleArn"] for each in asked["RulePriorities"]]
        for each in asked["RulePriorities"]:
            self._free(each["RuleArn"].partition("/rule/")[0], each["Priority"], moved)
        for each in asked["RulePriorities"]:
            self._rule(each["RuleArn"])["Priority"] = str(each["Priority"])

    def _delete_rule(self, asked: Asked) -> None:
        self._rule(asked["RuleArn"])
        del self.rules[asked["RuleArn"]]

    def _free(self, listener: str, priority: int, but: Any) -> None:
        for arn, rule in self.rules.items():
            same = arn.startswith(f"{listener}/rule/") and rule["Priority"] == str(priority)
            if same and arn not in but:
                raise RefusedError("PriorityInUse", f"the priority {priority} is in use")

    def _group(self, arn: str) -> Group:
        if arn not in self.groups:
            raise RefusedError("TargetGroupNotFound", f"{arn} does not exist")
        return self.groups[arn]

    def _rule(self, arn: str) -> dict[str, Any]:
        if arn not in self.rules:
            raise RefusedError("RuleNotFound", f"{arn} does not exist")
        return self.rules[arn]


def _without(asked: Asked, *keys: str) -> Asked:
    return {key: value for key, value in asked.items() if key not in keys}
