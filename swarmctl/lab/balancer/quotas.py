"""AWS's quotas of a load balancer, which moto lacks.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend, FakeAction

from swarmctl.lab.balancer.elbv2 import balancer_of, groups_in, groups_of

MAX_RULES = 100  # of a load balancer, without default rules
MAX_GROUPS = 100  # of a load balancer
MAX_GROUPS_OF_ACTION = 5
MAX_TARGETS = 1000  # of a load balancer
MAX_REGISTRATIONS = 100  # of one target with a load balancer


def apply() -> None:
    """Patch moto in this process: no quotas, and load balancers that share a target group.

    Can be removed when moto raises these errors.
    """
    register, validate = ELBv2Backend.register_targets, ELBv2Backend._validate_actions
    _rules_and_their_groups_are_counted()

    def checked_register(self: Any, target_group_arn: str, instances: list[Any]) -> None:
        if target_group_arn in self.target_groups:
            _check_targets(self, self.target_groups[target_group_arn], instances)
        register(self, target_group_arn, instances)

    def checked_actions(self: Any, actions: list[Any]) -> None:
        validate(self, actions)
        for action in actions:
            groups = self._get_target_group_arns_from(action.data)
            if set(groups) != groups_in([action.data]):
                why = "An action names its target groups once, or the same twice"
                raise ELBClientError("ValidationError", why)
            if len(groups) > MAX_GROUPS_OF_ACTION:
                raise ELBClientError(
                    "TooManyUniqueTargetGroupsPerLoadBalancer",
                    f"An action forwards to at most {MAX_GROUPS_OF_ACTION} target groups",
                )

    ELBv2Backend.register_targets = checked_register  # type: ignore[method-assign]  # patch
    ELBv2Backend._validate_actions = checked_actions  # type: ignore[method-assign]  # patch


def _rules_and_their_groups_are_counted() -> None:
    backend: Any = ELBv2Backend  # Any: its methods are replaced
    create_listener, modify_listener = backend.create_listener, backend.modify_listener
    create_rule, modify_rule = backend.create_rule, backend.modify_rule

    def balancer_at(backend: Any, listener_arn: str) -> tuple[Any, Any]:
        (listener,) = backend.describe_listeners(None, [listener_arn])
        return backend.load_balancers[listener.load_balancer_arn], listener

    def checked_create_listener(self: Any, **given: Any) -> Any:
        if balancer := self.load_balancers.get(given["load_balancer_arn"]):
            _check_groups(self, balancer, given["actions"])
        return create_listener(self, **given)

    def checked_modify_listener(
        self: Any,
        arn: str,
        port: Any,
        protocol: Any,
        ssl_policy: Any,
        certificates: Any,
        actions: list[dict[str, Any]],
    ) -> Any:
        balancer, listener = balancer_at(self, arn)
        self._validate_actions([FakeAction(action) for action in actions])
        if actions:
            _check_groups(self, balancer, actions, instead_of=listener._default_rule[0])
        return modify_listener(self, arn, port, protocol, ssl_policy, certificates, actions)

    def checked_create_rule(self: Any, **given: Any) -> Any:
        balancer, _ = balancer_at(self, given["listener_arn"])
        if sum(len(li._non_default_rules) for li in balancer.listeners.values()) >= MAX_RULES:
            raise ELBClientError(
                "TooManyRules",
                f"The maximum number of rules on load balancer is '{MAX_RULES}'",
            )
        _check_groups(self, balancer, given["actions"])
        return create_rule(self, **given)

    def checked_modify_rule(self: Any, **given: Any) -> Any:
        for rule in self.describe_rules(None, [given["rule_arn"]]) if given["actions"] else ():
            balancer, _ = balancer_at(self, rule.listener_arn)
            _check_groups(self, balancer, given["actions"], instead_of=rule)
        return modify_rule(self, **given)

    backend.create_listener = checked_create_listener
    backend.modify_listener = checked_modify_listener
    backend.create_rule, backend.modify_rule = checked_create_rule, checked_modify_rule


def _check_groups(
    backend: Any,
    balancer: Any,
    actions: Iterable[Mapping[str, Any]],
    instead_of: Any = None,
) -> None:
    """Check what a load balancer forwards to with new actions, those of a rule or of one more."""
    used = groups_of(balancer, but=instead_of) | groups_in(actions)
    if len(used) > MAX_GROUPS:
        raise ELBClientError(
            "TooManyUniqueTargetGroupsPerLoadBalancer",
            f"The maximum number of unique target groups on load balancer is '{MAX_GROUPS}'",
        )
    others = (b for b in backend.load_balancers.values() if b is not balancer)
    if shared := {arn for other in others for arn in groups_of(other) & used}:
        raise ELBClientError(
            "TargetGroupAssociationLimit",
            "The following target groups cannot be associated with more than one load balancer: "
            + ", ".join(sorted(shared)),
        )


def _check_targets(backend: Any, group: Any, wanted: list[dict[str, Any]]) -> None:
    balancer = balancer_of(backend, group.arn)
    groups = [backend.target_groups[arn] for arn in groups_of(balancer)] if balancer else [group]
    now = time.time()
    names = {(g.arn, r.name) for g in groups for r in g.registrations.now(now)}
    names |= {(group.arn, f"{t['Id']}:{t.get('Port') or group.port}") for t in wanted}
    if len(names) > MAX_TARGETS:
        raise ELBClientError(
            "TooManyTargets",
            f"The maximum number of targets on load balancer is '{MAX_TARGETS}'",
        )
    ids = [name.rpartition(":")[0] for _, name in names]
    for target in wanted:
        if ids.count(target["Id"]) > MAX_REGISTRATIONS:
            raise ELBClientError(
                "TooManyRegistrationsForTargetId",
                f"The target '{target['Id']}' cannot be registered more than "
                f"{MAX_REGISTRATIONS} times",
            )
