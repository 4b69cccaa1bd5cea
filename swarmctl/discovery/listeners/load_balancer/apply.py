"""Makes the changes of one service at a load balancer, in the order that loses no request.

Targets are registered before the rule appears, new ones before old ones go, and a rule is removed
before its target group. Killed in between, the next pass finds what is there and goes on.
"""

from __future__ import annotations

from dataclasses import replace

from swarmctl.cloud import listener_rules, target_groups
from swarmctl.cloud.listener_rules import ListenerRule
from swarmctl.cloud.load_balancer import ElbApi, LoadBalancingError
from swarmctl.cloud.target_groups import TargetGroup
from swarmctl.discovery.listeners.load_balancer.plan import Changes, Found

# A quota: of targets of a load balancer, or of ports of an instance.
_FULL = ("TooManyTargets", "TooManyRegistrationsForTargetId")


def apply(api: ElbApi, cluster: str, vpc: str, todo: Changes, found: Found) -> None:
    """Make the changes and record them in ``found``.

    Args:
        api: of the region.
        cluster: for the tags.
        vpc: of the load balancer.
        todo: of one service.
        found: what is there; other services may be changed in it at the same time.

    Raises:
        CloudError: a call failed; what is there of this service is not known then.
    """
    group = _group(api, cluster, vpc, todo)
    if group:
        _change_targets(api, todo, group.arn)
        targets = (group.targets | todo.register) - todo.deregister
        found.groups[group.name] = replace(group, targets=targets)
        _make_rules(api, cluster, todo, group, found)
    for rule in todo.remove:
        listener_rules.delete_rule(api, rule.arn)
        _record(found, rule, None)
    for gone in todo.remove_groups:
        target_groups.delete_group(api, gone.arn)
        found.groups.pop(gone.name, None)


def _group(api: ElbApi, cluster: str, vpc: str, todo: Changes) -> TargetGroup | None:
    """The service's target group with its settings, made if it is to be."""
    group = todo.group
    if todo.new_group:
        assert todo.wanted is not None
        route, name = todo.wanted.route, todo.wanted.name
        arn, has = target_groups.create_group(
            api, cluster, route.service, name, vpc, route.port, todo.settings
        )
        group = TargetGroup(arn, name, route.service, has, frozenset(), {})
    if group and todo.settings:
        missing = {k: v for k, v in todo.settings.items() if group.settings.get(k) != v}
        target_groups.configure_group(api, group.arn, missing)
        group = replace(group, settings={**group.settings, **todo.settings})
    return group


def _change_targets(api: ElbApi, todo: Changes, arn: str) -> None:
    """Register first, so that the group is never without targets; if AWS has room for both."""
    if todo.register:
        try:
            target_groups.register_targets(api, arn, todo.register)
        except LoadBalancingError as fault:
            if fault.code not in _FULL or not todo.deregister:
                raise
            target_groups.deregister_targets(api, arn, todo.deregister)
            target_groups.register_targets(api, arn, todo.register)
            return
    if todo.deregister:
        target_groups.deregister_targets(api, arn, todo.deregister)


def _make_rules(api: ElbApi, cluster: str, todo: Changes, group: TargetGroup, found: Found) -> None:
    assert todo.wanted is not None
    form = todo.wanted.form(group.arn)
    for rule in todo.modify:
        listener_rules.modify_rule(api, rule.arn, form)
        _record(found, rule, replace(rule, form=form))
    for listener, priority in todo.create:
        made = listener_rules.create_rule(api, listener, cluster, todo.service, priority, form)
        with found.lock:
            found.rules[listener.arn] = (*found.rules.get(listener.arn, ()), made)


def _record(found: Found, before: ListenerRule, after: ListenerRule | None) -> None:
    with found.lock:
        for listener, rules in found.rules.items():
            kept = (after if rule.arn == before.arn else rule for rule in rules)
            found.rules[listener] = tuple(rule for rule in kept if rule is not None)
