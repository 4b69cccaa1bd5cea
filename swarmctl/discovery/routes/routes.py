"""The routes of a Swarm's services: each service's own, unless an older one has the same."""

from __future__ import annotations

from collections.abc import Iterable

from swarmctl.discovery.labels import LabelError
from swarmctl.discovery.routes.labels import Route, route
from swarmctl.swarm.model import Service


def routes(
    services: Iterable[tuple[Service, int]],
) -> tuple[tuple[Route, ...], dict[str, str]]:
    """The routes, by service, and why a service has none though its labels ask for one.

    Of several services with the same paths and hosts, the oldest has them: a new one cannot take
    another one's requests by mistake. With different explicit priorities, all have them.

    Args:
        services: each with its main target port.
    """
    found: list[Route] = []
    problems: dict[str, str] = {}
    holders: dict[object, str] = {}
    for service, main_port in sorted(services, key=lambda s: (s[0].created_at, s[0].name)):
        try:
            if each := route(service, main_port):
                _claim(each, holders)
                found.append(each)
        except LabelError as fault:
            problems[service.name] = f"load balancer: {fault}"
    return tuple(sorted(found, key=lambda r: r.service)), problems


def _claim(each: Route, holders: dict[object, str]) -> None:
    """Reserve a route's conditions and priority.

    Raises:
        LabelError: an older service has them.
    """
    taken = holders.get((each.conditions, each.priority))
    if taken:
        where = " ".join((*each.hosts, *each.paths))
        raise LabelError(f"the older service {taken} has the same path and host: {where}")
    if each.priority and (taken := holders.get(each.priority)):
        raise LabelError(
            f"swarmctl.http.priority={each.priority}: the older service {taken} has it"
        )
    holders[each.conditions, each.priority] = each.service
    if each.priority:
        holders[each.priority] = each.service
