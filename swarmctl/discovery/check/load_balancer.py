"""Whether a load balancer does what the labels say: its rules, its health checks, and a request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from swarmctl.cloud.target_groups import TargetGroup
from swarmctl.discovery.check.compare import Disagreement
from swarmctl.discovery.edition import follow
from swarmctl.discovery.endpoint import Catalogue
from swarmctl.discovery.listeners.load_balancer.listener import LoadBalancerListener
from swarmctl.discovery.listeners.load_balancer.plan import Changes, Found, Plan
from swarmctl.discovery.listeners.load_balancer.urls import Url, urls
from swarmctl.discovery.listeners.sockets import Place
from swarmctl.errors import SwarmctlError
from swarmctl.http import get

_SOURCE, _REQUEST = "load balancer", "request through the load balancer"
_TIMEOUT_S = 5.0


@dataclass
class LoadBalancerCheck:
    """See :class:`swarmctl.discovery.check.check.Examination`.

    Args:
        open: makes a listener that remembers nothing; it only reads here.
    """

    open: Callable[[], LoadBalancerListener]

    def examine(self, found: Catalogue) -> list[Disagreement]:
        """All disagreements; that it cannot be asked is one too."""
        listener = self.open()
        try:
            todo, there = listener.compare(follow(None, found, (), time.time_ns() // 1_000_000))
        except SwarmctlError as fault:
            return [Disagreement(_SOURCE, "", "", f"cannot be asked: {fault.message}")]
        if listener.balancer is None:
            return []
        served = {endpoint.service for endpoint in found.endpoints if endpoint.balanced}
        places = {
            url.address: (route.service, url)
            for route in found.routes
            if route.service in served
            for url in urls(route, listener.balancer, listener.listeners)
        }
        return [
            *(each for changes in todo.services for each in _differences(changes)),
            *_other_priorities(todo, there, listener),
            *(each for group in there.groups.values() for each in _unhealthy(group, listener)),
            *(each for service, url in places.values() for each in _requested(service, url)),
        ]


def _differences(changes: Changes) -> Iterator[Disagreement]:
    """What the agent would change; targets are compared by the source of their own."""
    service = changes.service
    if changes.new_group:
        yield Disagreement(_SOURCE, service, "", "serves, but has no target group")
    elif changes.settings:
        differing = ", ".join(sorted(changes.settings))
        yield Disagreement(_SOURCE, service, "", f"its target group's settings differ: {differing}")
    for listener, _ in changes.create:
        yield Disagreement(_SOURCE, service, "", f"serves, but {listener.name} has no rule for it")
    for rule in changes.modify:
        yield Disagreement(_SOURCE, service, "", f"the rule {rule.priority} is another than wanted")
    for rule in changes.remove:
        yield Disagreement(_SOURCE, service, "", f"the rule {rule.priority} is one too many")
    for group in changes.remove_groups:
        yield Disagreement(_SOURCE, service, "", f"nothing wants its target group {group.name}")
    if changes.problem:
        yield Disagreement(_SOURCE, service, "", changes.problem)


def _other_priorities(
    todo: Plan, there: Found, listener: LoadBalancerListener
) -> Iterator[Disagreement]:
    names = {each.arn: each.name for each in listener.listeners}
    for arn, priorities in todo.moves.items():
        for rule in there.rules[arn]:
            if rule.arn in priorities:
                text = f"the priority of its rule of {names[arn]} is {rule.priority}, not "
                yield Disagreement(_SOURCE, rule.service or "", "", f"{text}{priorities[rule.arn]}")


def _unhealthy(group: TargetGroup, listener: LoadBalancerListener) -> Iterator[Disagreement]:
    addresses = {id_: address for address, id_ in listener.instances.running.items()}
    for target, state in sorted(group.health.items()):
        if state == "unhealthy":
            place = str(Place(addresses.get(target.instance, target.instance), target.port))
            path = group.settings.get("HealthCheckPath", "")
            text = f"serves, but the load balancer's health check of {path} fails"
            yield Disagreement(_SOURCE, group.service, place, text)


def _requested(service: str, url: Url) -> Iterator[Disagreement]:
    """Send a request; any answer of the service is well, the load balancer's own 5xx are not."""
    answer = get(url.address, _TIMEOUT_S, url.host)
    if answer.failure is not None or (answer.status or 0) >= 500:
        text = f"a request for {url.text} failed: {answer.detail}"
        yield Disagreement(_REQUEST, service, "", text)
