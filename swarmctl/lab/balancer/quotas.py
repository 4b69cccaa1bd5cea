"""AWS's quotas of a load balancer, which moto lacks.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
"""

from __future__ import annotations

import time
from typing import Any

from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend

from swarmctl.lab.balancer.elbv2 import balancer_of, groups_of

MAX_RULES = 100  # of a load balancer, without default rules
MAX_GROUPS = 100  # of a load balancer
MAX_GROUPS_OF_ACTION = 5
MAX_TARGETS = 1000  # of a load balancer
MAX_REGISTRATIONS = 100  # of one target with a load balancer


def apply() -> None:
    """Patch moto in this process: no quotas, and load balancers that share a target group.

    Can be removed when moto raises these errors.
    """
    create_rule, register = ELBv2Backend.create_rule, ELBv2Backend.register_targets
    validate = ELBv2Backend._validate_actions

    def checked_create_rule(self: Any, listener_arn: str, *args: Any, **kwargs: Any) -> Any:
        (listener,) = self.describe_listeners(None, [listener_arn])
        balancer = self.load_balancers[listener.load_balancer_arn]
        if sum(len(li._non_default_rules) for li in balancer.listeners.values()) >= MAX_RULES:
            raise ELBClientError(
                "TooManyRules",
                f"The maximum number of rules on load balancer is '{MAX_RULES}'",
            )
        made = create_rule(self, listener_arn, *args, **kwargs)
        try:
            _check_groups(self, balancer)
        except ELBClientError:
            listener.remove_rule(made.arn)
            raise
        return made

    def checked_register(self: Any, target_group_arn: str, instances: list[Any]) -> None:
        if target_group_arn in self.target_groups:
            _check_targets(self, self.target_groups[target_group_arn], instances)
        register(self, target_group_arn, instances)

    def checked_actions(self: Any, actions: list[Any]) -> None:
        validate(self, actions)
        for action in actions:
            if len(self._get_target_group_arns_from(action.data)) > MAX_GROUPS_OF_ACTION:
                raise ELBClientError(
                    "TooManyUniqueTargetGroupsPerLoadBalancer",
                    f"An action forwards to at most {MAX_GROUPS_OF_ACTION} target groups",
                )

    ELBv2Backend.create_rule = checked_create_rule  # type: ignore[method-assign]  # patch
    ELBv2Backend.register_targets = checked_register  # type: ignore[method-assign]  # patch
    ELBv2Backend._validate_actions = checked_actions  # type: ignore[method-assign]  # patch


def _check_groups(backend: Any, balancer: Any) -> None:
    used = groups_of(balancer)
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
