"""Wanted and found target groups, targets and rules compared: the least changes. Pure.

Level-triggered: computed anew from what is wanted and what is there. Only what has discovery's tags
is changed; a target on an instance outside the cluster was registered by somebody else and stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from swarmctl.cloud.listener_rules import ListenerRule, RuleForm
from swarmctl.cloud.load_balancer import HttpListener
from swarmctl.cloud.target_groups import TargetGroup, TargetPort, group_prefix
from swarmctl.discovery.routes.labels import Route
from swarmctl.discovery.routes.priority import choose
from swarmctl.discovery.routes.values import literal
from swarmctl.reading.names import dns_label


@dataclass(frozen=True, slots=True)
class Wanted:
    """A service behind the load balancer.

    Attributes:
        route: of its labels.
        name: of its target group.
        targets: the endpoints that serve now.
        unknown: instances on which a task serves at a port that is not known: what is registered
            there may be it, and stays.
    """

    route: Route
    name: str
    targets: frozenset[TargetPort]
    unknown: frozenset[str] = frozenset()

    def form(self, group: str) -> RuleForm:
        """What its rules do, with the target group's ARN."""
        strip = self.route.strip_prefix
        rewrite = (f"^{literal(strip)}/?(.*)$", "/$1") if strip else None
        return RuleForm(self.route.hosts, self.route.paths, group, rewrite)


@dataclass(slots=True)
class Found:
    """What is there: target groups of ours by name, all rules by their listener's ARN."""

    groups: dict[str, TargetGroup] = field(default_factory=dict)
    rules: dict[str, tuple[ListenerRule, ...]] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)  # services are changed in threads

    def services(self) -> frozenset[str]:
        """The services for which there is anything."""
        ruled = (rule.service for rules in self.rules.values() for rule in rules)
        return frozenset(s for s in ruled if s is not None) | {
            group.service for group in self.groups.values()
        }


@dataclass(frozen=True, slots=True)
class Changes:
    """What to do for one service, in this order.

    Attributes:
        service: the Swarm's name.
        wanted: ``None``: nothing of it is.
        group: its target group, if it exists.
        settings: of the target group, to change.
        register: targets.
        deregister: targets.
        create: rules to make: the listener and the priority.
        modify: rules that do something else.
        remove: rules.
        remove_groups: target groups.
        problem: why a rule cannot be made, or ``""``.
    """

    service: str
    wanted: Wanted | None = None
    group: TargetGroup | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    register: frozenset[TargetPort] = frozenset()
    deregister: frozenset[TargetPort] = frozenset()
    create: tuple[tuple[HttpListener, int], ...] = ()
    modify: tuple[ListenerRule, ...] = ()
    remove: tuple[ListenerRule, ...] = ()
    remove_groups: tuple[TargetGroup, ...] = ()
    problem: str = ""

    @property
    def route(self) -> Route | None:
        """Of the service's labels."""
        return self.wanted.route if self.wanted else None

    @property
    def new_group(self) -> bool:
        """Whether the target group is to be made."""
        return self.wanted is not None and self.group is None and bool(self.register)

    @property
    def targets_only(self) -> bool:
        """Whether nothing else changes."""
        return not (
            self.new_group or self.settings or self.create or self.modify
            or self.remove or self.remove_groups or self.problem
        )  # fmt: skip

    def targets(self) -> Changes:
        """Only what changes of the targets."""
        return Changes(
            self.service, self.wanted, self.group,
            register=self.register, deregister=self.deregister,
        )  # fmt: skip

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(
            self.new_group or self.settings or self.register or self.deregister
            or self.create or self.modify or self.remove or self.remove_groups
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes.

    Attributes:
        services: those with changes or a problem, sorted; what is wanted no more comes first.
        moves: new priorities of rules of ours, by listener and rule (ARNs).
    """

    services: tuple[Changes, ...] = ()
    moves: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def group_name(cluster: str, service: str, vpc: str) -> str:
    """The name of a service's target group: at most 32 letters, digits and hyphens."""
    digest = hashlib.sha256(f"{cluster}/{service}/{vpc}".encode()).hexdigest()[:8]
    return f"{group_prefix(cluster)}{dns_label(service)[:13].strip('-')}-{digest}"


def plan(
    wanted: Iterable[Wanted],
    found: Found,
    listeners: Sequence[HttpListener],
    instances: Collection[str],
) -> Plan:
    """The least changes.

    Args:
        wanted: all services behind the load balancer.
        found: what is there.
        listeners: of the load balancer, those that get rules.
        instances: ids of the cluster's instances; targets on others are not ours.
    """
    want = {each.route.service: each for each in wanted}
    gone = sorted(found.services() - set(want))
    ruled = {s: w for s, w in want.items() if w.targets or w.name in found.groups}
    priorities = {each.arn: _priorities(ruled, found, each) for each in listeners}
    changes = [
        *(_removal(service, found) for service in gone),
        *(_changes(want[s], found, listeners, priorities, instances) for s in sorted(want)),
    ]
    return Plan(
        tuple(each for each in changes if each or each.problem),
        {each.arn: m for each in listeners if (m := _moves(found, each, priorities[each.arn]))},
    )


def rules_of(service: str, found: Found, listener: str) -> list[ListenerRule]:
    """A service's rules of a listener: the first one is kept, others are too many."""
    return [rule for rule in found.rules.get(listener, ()) if rule.service == service]


def _removal(service: str, found: Found) -> Changes:
    rules = [rule for listener in found.rules for rule in rules_of(service, found, listener)]
    groups = tuple(group for group in found.groups.values() if group.service == service)
    return Changes(service, remove=tuple(rules), remove_groups=groups)


def _changes(
    wanted: Wanted,
    found: Found,
    listeners: Sequence[HttpListener],
    priorities: Mapping[str, Mapping[str, int | None]],
    instances: Collection[str],
) -> Changes:
    service, group = wanted.route.service, found.groups.get(wanted.name)
    settings = dict(wanted.route.settings)
    have = group.settings if group else {}
    registered = group.targets if group else frozenset()
    create, modify, remove, problems = [], [], [], []
    for listener in listeners:
        priority = priorities[listener.arn].get(service)
        first, *more = rules_of(service, found, listener.arn) or (None,)
        remove += [rule for rule in more if rule is not None]
        if service in priorities[listener.arn] and priority is None:
            problems.append(_no_priority(wanted.route, listener))
        elif first is None and priority is not None:
            create.append((listener, priority))
        form = wanted.form(group.arn if group else "")
        if first is not None and first.form != form and (group or wanted.targets):
            modify.append(first)
    known = {listener.arn for listener in listeners}
    others = (rules_of(service, found, arn) for arn in found.rules if arn not in known)
    return Changes(
        service,
        wanted,
        group,
        {key: text for key, text in settings.items() if have.get(key) != text}
        if group or wanted.targets
        else {},
        wanted.targets - registered,
        frozenset(
            t
            for t in registered - wanted.targets
            if t.instance in instances and t.instance not in wanted.unknown
        ),
        tuple(create),
        tuple(modify),
        (*remove, *(rule for rules in others for rule in rules)),
        tuple(g for g in found.groups.values() if g.service == service and g.name != wanted.name),
        "; ".join(problems),
    )


def _no_priority(route: Route, listener: HttpListener) -> str:
    if route.priority:
        return f"another rule of {listener.name} has the priority {route.priority}"
    return (
        f"{listener.name} has too many rules for paths of this length: set swarmctl.http.priority"
    )


def _priorities(
    wanted: Mapping[str, Wanted], found: Found, listener: HttpListener
) -> dict[str, int | None]:
    """The priority of each service's rule; ``None`` if none is free.

    Explicit ones are given out first, then rules keep theirs, so that a new service moves no other.
    """
    rules = found.rules.get(listener.arn, ())
    current: dict[str, int] = {}
    for rule in rules:
        if rule.service in wanted:
            current.setdefault(str(rule.service), rule.priority)
    taken = {rule.priority for rule in rules if rule.service is None}
    leaving = {r.priority for r in rules if r.service is not None and r.service not in wanted}
    given: dict[str, int | None] = {}
    for service in sorted(wanted, key=lambda s: _rank(wanted[s].route, current.get(s))):
        route = wanted[service].route
        avoid = taken if route.priority else taken | leaving
        given[service] = priority = choose(route, avoid, current.get(service))
        if priority is not None:
            taken.add(priority)
    return given


def _rank(route: Route, current: int | None) -> tuple[bool, bool, str]:
    kept = current is not None and choose(route, (), current) == current
    return not route.priority, not kept, route.service


def _moves(
    found: Found, listener: HttpListener, priorities: Mapping[str, int | None]
) -> dict[str, int]:
    moves = {}
    for service, priority in priorities.items():
        for rule in rules_of(service, found, listener.arn)[:1]:
            if priority is not None and rule.priority != priority:
                moves[rule.arn] = priority
    return moves


def lines(todo: Plan) -> Iterator[str]:
    """The changes as text: ``+`` made, ``~`` changed, ``-`` removed, ``!`` not possible."""
    for changes in todo.services:
        yield from _lines(changes)
    for moves in todo.moves.values():
        yield from (f"~ rule {arn}: priority {number}" for arn, number in sorted(moves.items()))


def _lines(changes: Changes) -> Iterator[str]:
    name = changes.wanted.name if changes.wanted else ""
    if changes.new_group:
        yield f"+ target group {name} for {changes.service}"
    elif changes.settings:
        pairs = ", ".join(f"{key}={text}" for key, text in sorted(changes.settings.items()))
        yield f"~ target group {name}: {pairs}"
    yield from (f"+ target {target} in {name}" for target in sorted(changes.register))
    yield from (f"- target {target} in {name}" for target in sorted(changes.deregister))
    for listener, priority in changes.create:
        yield f"+ rule {listener.name} {priority}: {_condition(changes)} to {name}"
    yield from (f"~ rule {r.priority}: {_condition(changes)} to {name}" for r in changes.modify)
    yield from (f"- rule {rule.priority} of {changes.service}" for rule in changes.remove)
    for group in changes.remove_groups:
        yield f"- target group {group.name} of {group.service}"
    if changes.problem:
        yield f"! {changes.service}: {changes.problem}"


def _condition(changes: Changes) -> str:
    assert changes.wanted is not None
    hosts, paths = changes.wanted.route.conditions
    return f"{','.join(hosts)} {','.join(paths)}".strip()
