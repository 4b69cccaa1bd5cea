"""Rules of a load balancer's listeners: which request goes to which target group.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swarmctl.cloud.load_balancer import (
    ElbApi,
    HttpListener,
    LoadBalancingError,
    own_tags,
    owned_service,
)


@dataclass(frozen=True, slots=True)
class RuleForm:
    """What a rule does.

    Attributes:
        hosts: patterns, sorted; none for every host.
        paths: patterns, sorted; none for every path.
        group: the ARN of the target group that gets the requests.
        rewrite: regular expression and replacement for the URL, or ``None``.
        other: whether it has more than this.
    """

    hosts: tuple[str, ...]
    paths: tuple[str, ...]
    group: str
    rewrite: tuple[str, str] | None = None
    other: bool = False


@dataclass(frozen=True, slots=True)
class ListenerRule:
    """A rule that exists.

    Attributes:
        service: for which discovery made it; ``None`` if it is not ours.
    """

    arn: str
    priority: int
    form: RuleForm
    service: str | None


def find_rules(api: ElbApi, listener: HttpListener, cluster: str) -> tuple[ListenerRule, ...]:
    """The rules of a listener, whoever made them, by priority; without the default one."""
    listed = api.pages("describe_rules", "Rules", ListenerArn=listener.arn)
    rules = [raw for raw in listed if str(raw["Priority"]).isdecimal()]
    tags = api.tags(raw["RuleArn"] for raw in rules)
    found = (
        ListenerRule(
            raw["RuleArn"],
            int(raw["Priority"]),
            _form(raw),
            owned_service(tags.get(raw["RuleArn"], {}), cluster),
        )
        for raw in rules
    )
    return tuple(sorted(found, key=lambda rule: rule.priority))


def create_rule(
    api: ElbApi, listener: HttpListener, cluster: str, service: str, priority: int, form: RuleForm
) -> ListenerRule:
    """Make a rule."""
    made = api.call(
        "create_rule",
        ListenerArn=listener.arn,
        Priority=priority,
        Tags=own_tags(cluster, service),
        **_fields(form),
        **({"Transforms": _transforms(form)} if form.rewrite else {}),
    )["Rules"][0]
    return ListenerRule(made["RuleArn"], priority, form, service)


def modify_rule(api: ElbApi, arn: str, form: RuleForm) -> None:
    """Change what a rule does; its priority stays."""
    transforms: dict[str, Any] = {"ResetTransforms": True}
    if form.rewrite:
        transforms = {"Transforms": _transforms(form)}
    api.call("modify_rule", RuleArn=arn, **_fields(form), **transforms)


def move_rules(api: ElbApi, priorities: Mapping[str, int]) -> None:
    """Give rules (by ARN) other priorities, all at the same moment."""
    listed = [{"RuleArn": arn, "Priority": number} for arn, number in priorities.items()]
    api.call("set_rule_priorities", RulePriorities=listed)


def delete_rule(api: ElbApi, arn: str) -> None:
    """Remove a rule; one that does not exist is a success."""
    try:
        api.call("delete_rule", RuleArn=arn)
    except LoadBalancingError as fault:
        if fault.code != "RuleNotFound":
            raise


def _fields(form: RuleForm) -> dict[str, Any]:
    conditions = []
    if form.hosts:
        hosts = {"Values": list(form.hosts)}
        conditions.append({"Field": "host-header", "HostHeaderConfig": hosts})
    if form.paths:
        paths = {"Values": list(form.paths)}
        conditions.append({"Field": "path-pattern", "PathPatternConfig": paths})
    return {
        "Conditions": conditions,
        "Actions": [{"Type": "forward", "TargetGroupArn": form.group}],
    }


def _transforms(form: RuleForm) -> list[dict[str, Any]]:
    assert form.rewrite is not None
    regex, replace = form.rewrite
    rewrites = [{"Regex": regex, "Replace": replace}]
    return [{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": rewrites}}]


def _form(raw: Mapping[str, Any]) -> RuleForm:
    values: dict[str, tuple[str, ...]] = {"host-header": (), "path-pattern": ()}
    other = False
    for condition in raw.get("Conditions", ()):
        config = condition.get("HostHeaderConfig") or condition.get("PathPatternConfig") or {}
        other |= condition["Field"] not in values or bool(config.get("RegexValues"))
        values[condition["Field"]] = tuple(
            sorted(config.get("Values") or condition.get("Values", ()))
        )
    actions = raw.get("Actions", ())
    group = _group(actions[0]) if len(actions) == 1 else ""
    transforms = raw.get("Transforms") or ()
    rewrites = [
        (each["Regex"], each["Replace"])
        for transform in transforms
        for each in transform.get("UrlRewriteConfig", {}).get("Rewrites", ())
    ]
    other |= len(rewrites) != len(transforms) or len(rewrites) > 1
    return RuleForm(
        values["host-header"],
        values["path-pattern"],
        group,
        rewrites[0] if rewrites else None,
        other,
    )


def _group(action: Mapping[str, Any]) -> str:
    """The target group of an action that forwards to one; ``""`` for any other action."""
    if action["Type"] != "forward":
        return ""
    groups = action.get("ForwardConfig", {}).get("TargetGroups", ())
    if len(groups) > 1:
        return ""
    return str(action.get("TargetGroupArn") or (groups[0]["TargetGroupArn"] if groups else ""))
