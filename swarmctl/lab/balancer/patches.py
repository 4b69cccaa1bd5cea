"""Patches for moto 5.2.5's load balancers: what AWS refuses or answers otherwise.

Each function is one patch and says when it can be removed. ``swarmctl.lab.api`` calls ``apply``.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from ipaddress import ip_network
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.models.subnets import SubnetBackend
from moto.elbv2.exceptions import (
    DuplicateLoadBalancerName,
    DuplicatePriorityError,
    ELBClientError,
    InvalidModifyRuleArgumentsError,
    PriorityInUseError,
)
from moto.elbv2.models import (
    ELBv2Backend,
    FakeListener,
    FakeLoadBalancer,
    elbv2_backends,
)
from moto.elbv2.responses import ELBV2Response

from swarmctl.lab.balancer import listener_patches, quotas, target_patches
from swarmctl.lab.balancer.elbv2 import balancer_id, balancer_of, zones
from swarmctl.lab.balancer.target_patches import Reports

MAX_VALUES = 5  # of a rule's conditions

# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
_BALANCER_ATTRIBUTES = {
    "access_logs.s3.enabled": "false",
    "idle_timeout.timeout_seconds": "60",
    "routing.http.drop_invalid_header_fields.enabled": "false",
}


def apply(reports: Reports) -> None:
    """Patch moto in this process.

    Args:
        reports: what the load balancers' machines say of targets.
    """
    _load_balancers_have_an_address_and_start()
    _load_balancers_have_their_attributes()
    _what_a_load_balancer_uses_cannot_be_deleted()
    _target_groups_know_their_load_balancers()
    _attributes_are_checked()
    _rules_are_sorted_and_can_be_swapped()
    _conditions_are_checked()
    _transforms_are_kept()
    listener_patches.apply()
    target_patches.apply(reports)
    quotas.apply()


def _load_balancers_have_an_address_and_start() -> None:
    """The name of moto's load balancers leads nowhere, and any request makes them active.

    Permanent: in the lab the name is an address, and the state follows the machine.
    """
    original_init = ELBv2Backend.__init__
    create, delete = ELBv2Backend.create_load_balancer, ELBv2Backend.delete_load_balancer

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original_init(self, *args, **kwargs)
        self.departed = dict[str, Any]()

    def create_load_balancer(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        if any(b.name == name for b in self.load_balancers.values()):
            raise DuplicateLoadBalancerName
        made: Any = create(self, name, *args, **kwargs)
        if made.type == "application":
            if len(zones(made)) < 2:
                del self.load_balancers[made.arn]
                raise _invalid(
                    "At least two subnets in two different Availability Zones must be specified"
                )
            made.home = made.subnets[0]  # SetSubnets does not move it
            made.dns_name = made.home.get_available_subnet_ip(made)
        return made

    def delete_load_balancer(self: Any, arn: str) -> None:
        found = self.load_balancers.get(arn)
        if found and found.attrs.get("deletion_protection.enabled") == "true":
            raise ELBClientError(
                "OperationNotPermitted",
                f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
            )
        delete(self, arn)
        if found and found.type == "application":
            self.departed[balancer_id(arn)] = found  # until its machine is gone

    ELBv2Backend.__init__ = init  # type: ignore[method-assign]  # patch
    ELBv2Backend.create_load_balancer = create_load_balancer  # type: ignore[method-assign]  # patch
    ELBv2Backend.delete_load_balancer = delete_load_balancer  # type: ignore[method-assign]  # patch
    FakeLoadBalancer.activate = _stays_as_it_is  # type: ignore[method-assign]  # patch


def _stays_as_it_is(self: Any) -> None:
    """The controller changes the state."""
    if self.type != "application":  # without a machine in the lab
        self.state = "active"


def _load_balancers_have_their_attributes() -> None:
    """A new load balancer lacks attributes, which amazon.aws.elb_application_lb reads.

    Can be removed when ``FakeLoadBalancer.attrs`` has them.
    """
    original = FakeLoadBalancer.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.attrs = _BALANCER_ATTRIBUTES | self.attrs

    FakeLoadBalancer.__init__ = init  # type: ignore[method-assign]  # patch


def _what_a_load_balancer_uses_cannot_be_deleted() -> None:
    """On AWS its network interfaces keep its subnets and its security groups from being deleted.

    Can be removed when moto gives a load balancer network interfaces, and asks them.
    """
    delete_subnet = SubnetBackend.delete_subnet
    delete_group = SecurityGroupBackend._delete_security_group

    def refuse_used(ec2: Any, what: str, identity: str) -> None:
        for balancer in elbv2_backends[ec2.account_id][ec2.region_name].load_balancers.values():
            if identity in {*balancer.security_groups, *(s.id for s in balancer.subnets)}:
                raise EC2ClientError(
                    "DependencyViolation",
                    f"The {what} '{identity}' has dependencies and cannot be deleted: "
                    f"the load balancer {balancer.name} uses it",
                )

    def checked_delete_subnet(self: Any, subnet_id: str) -> Any:
        refuse_used(self, "subnet", subnet_id)
        return delete_subnet(self, subnet_id)

    def checked_delete_group(self: Any, vpc_id: Any, group_id: str) -> None:
        refuse_used(self, "security group", group_id)
        delete_group(self, vpc_id, group_id)

    SubnetBackend.delete_subnet = checked_delete_subnet  # type: ignore[method-assign]  # patch
    SecurityGroupBackend._delete_security_group = checked_delete_group  # type: ignore[method-assign]  # patch


def _target_groups_know_their_load_balancers() -> None:
    """moto notes a load balancer once for each rule, and never takes it away.

    Can be removed when ``load_balancer_arns`` follows the rules.
    """
    original = ELBv2Backend.describe_target_groups

    def describe_target_groups(self: Any, *args: Any, **kwargs: Any) -> Any:
        for arn, group in self.target_groups.items():
            balancer = balancer_of(self, arn)
            group.load_balancer_arns = [balancer.arn] if balancer else []
        return original(self, *args, **kwargs)

    ELBv2Backend.describe_target_groups = describe_target_groups  # type: ignore[method-assign]  # patch


def _attributes_are_checked() -> None:
    """moto accepts any text as a number of seconds.

    Can be removed when it is refused.
    """
    of_balancer = ELBv2Backend.modify_load_balancer_attributes
    of_group = ELBv2Backend.modify_target_group_attributes

    def check(attributes: dict[str, Any]) -> None:
        for key, value in attributes.items():
            # The longest of all is the cookie's: a week.
            if key.endswith("seconds") and not re.fullmatch(r"[0-9]{1,6}", str(value)):
                raise _invalid(f"The value '{value}' of the attribute '{key}' is not valid")

    def modify_load_balancer_attributes(self: Any, arn: str, attrs: dict[str, Any]) -> Any:
        check(attrs)
        return of_balancer(self, arn, attrs)

    def modify_target_group_attributes(self: Any, arn: str, attributes: dict[str, Any]) -> None:
        check(attributes)
        of_group(self, arn, attributes)

    ELBv2Backend.modify_load_balancer_attributes = modify_load_balancer_attributes  # type: ignore[method-assign]  # patch
    ELBv2Backend.modify_target_group_attributes = modify_target_group_attributes  # type: ignore[method-assign,assignment]  # patch


def _rules_are_sorted_and_can_be_swapped() -> None:
    """moto lists rules in the order of their creation, and refuses to swap two priorities.

    Can be removed when ``FakeListener.rules`` sorts, and SetRulePriorities looks at the result.
    """

    def rules(self: Any) -> dict[str, Any]:
        ordered = sorted(self._non_default_rules.items(), key=lambda item: int(item[1].priority))
        return OrderedDict([*ordered, *self._default_rule.items()])

    def set_rule_priorities(self: Any, rule_priorities: list[dict[str, Any]]) -> list[Any]:
        wanted = {r["RuleArn"]: int(r["Priority"]) for r in rule_priorities}
        chosen = self.describe_rules(listener_arn=None, rule_arns=list(wanted))
        for priority in wanted.values():
            if list(wanted.values()).count(priority) > 1:
                raise DuplicatePriorityError(str(priority))
        (listener,) = self.describe_listeners(None, [chosen[0].listener_arn])
        others = [r for r in listener.rules.values() if r.arn not in wanted and not r.is_default]
        if {int(r.priority) for r in others} & set(wanted.values()):
            raise PriorityInUseError
        for rule in chosen:
            rule.priority = wanted[rule.arn]
        return list(chosen)

    FakeListener.rules = property(rules)  # type: ignore[assignment,method-assign]  # patch
    ELBv2Backend.set_rule_priorities = set_rule_priorities  # type: ignore[method-assign]  # patch


def _conditions_are_checked() -> None:
    """moto refuses two hosts in ``Values``, and accepts any number in all, and bad addresses.

    Can be removed when ``_validate_conditions`` counts the values of all conditions.
    """
    original = ELBv2Backend._validate_conditions

    def validate(self: Any, conditions: list[dict[str, Any]]) -> None:
        for condition in conditions:
            if values := condition.pop("Values", None):
                name = "HostHeader" if condition.get("Field") == "host-header" else "PathPattern"
                condition[f"{name}Config"] = {"Values": values}
        original(self, conditions)
        values = [
            value
            for condition in conditions
            for key, config in condition.items()
            if key.endswith("Config")
            for value in config["Values"]
        ]
        if len(values) > MAX_VALUES:
            raise _invalid(f"A rule can only have '{MAX_VALUES}' condition values")
        for condition in conditions:
            for source in condition.get("SourceIpConfig", {}).get("Values", ()):
                _check_range(source)
            name = condition.get("HttpHeaderConfig", {}).get("HttpHeaderName", "x")
            if not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name, re.ASCII):
                raise _invalid(f"The header name '{name}' is not valid")

    ELBv2Backend._validate_conditions = validate  # type: ignore[method-assign]  # patch


def _invalid(message: str) -> ELBClientError:
    return ELBClientError("ValidationError", message)


def _check_range(cidr: str) -> None:
    try:
        ip_network(cidr)
    except ValueError:
        raise _invalid(f"The IP address '{cidr}' is not a valid CIDR block") from None


def _transforms_are_kept() -> None:
    """moto drops ``Transforms`` of CreateRule and ModifyRule.

    Can be removed when a rule has them.
    """
    create, modify = ELBV2Response.create_rule, ELBV2Response.modify_rule

    def create_rule(self: Any) -> ActionResult:
        transforms = _checked(self._get_params().get("Transforms", []))
        result = create(self)
        for rule in _rules(result):
            rule.transforms = transforms
        return result

    def modify_rule(self: Any) -> ActionResult:
        params = self._get_params()
        transforms = _checked(params.get("Transforms", []))
        reset = bool(params.get("ResetTransforms"))
        try:
            result = modify(self)
        except InvalidModifyRuleArgumentsError:
            if not (transforms or reset):
                raise
            found = self.elbv2_backend.describe_rules(None, [self._get_param("RuleArn")])
            result = ActionResult({"Rules": found})
        if transforms or reset:
            for rule in _rules(result):
                rule.transforms = transforms
        return result

    ELBV2Response.create_rule = create_rule  # type: ignore[method-assign]  # patch
    ELBV2Response.modify_rule = modify_rule  # type: ignore[method-assign]  # patch


def _rules(result: ActionResult) -> list[Any]:
    found: dict[str, list[Any]] = result.result  # type: ignore[assignment]  # it is one
    return found["Rules"]


def _checked(transforms: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for transform in transforms:
        keys = {"url-rewrite": "UrlRewriteConfig", "host-header-rewrite": "HostHeaderRewriteConfig"}
        config = transform.get(keys.get(transform.get("Type", ""), ""), {})
        if len(config.get("Rewrites", ())) != 1:
            raise _invalid("A transform has one of the types 'url-rewrite', 'host-header-rewrite'")
        (rewrite,) = config["Rewrites"]
        try:
            re.compile(rewrite["Regex"])
        except re.error as fault:
            raise _invalid(f"The regular expression is not valid: {fault}") from None
        if not (rewrite["Regex"] + rewrite["Replace"]).isprintable():
            raise _invalid("A rewrite has printable characters only")
    return transforms
