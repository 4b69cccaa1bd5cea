"""SW080 and SW081: labels ``swarmctl.http.…``, which put a service behind a load balancer.

SW048 and SW049: requests that it loses there when Swarm stops a task.
"""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.discovery.labels import LabelError
from swarmctl.discovery.routes.labels import PREFIX, SETTINGS, Route, has_route, parse
from swarmctl.reading.quantities import seconds
from swarmctl.reading.yaml_nodes import Path
from swarmctl.stack.compose.scalars import Value, spelled
from swarmctl.stack.compose.view import Service, Stack
from swarmctl.stack.lint import facts
from swarmctl.stack.lint.rule import Context, Hit, Severity, rule

# Without one of these there is no route, so that nothing else can be said.
_NEEDED = (f"{PREFIX}path", f"{PREFIX}host")
_DELAY = f"{PREFIX}deregistration-delay"
_DEFAULT_DELAY_S = float(SETTINGS["deregistration-delay"].default)
# The Engine kills a container after so long if the service does not say (docker/cli, opts).
_DEFAULT_GRACE_S = 10.0


@rule("SW080", "http-label", Severity.ERROR, "a swarmctl.http label that cannot be used")
def http_label(stack: Stack, _: Context) -> Iterator[Hit]:
    """A service with such a label is not put behind the load balancer."""
    for service in stack.services:
        yield from _misplaced(service)
        labels, paths = _labels(stack, service)
        while has_route(labels):
            try:
                _route(service, labels)
                break
            except LabelError as fault:
                words = str(fault)
                bad = next((name for name in labels if words.startswith(f"{name}=")), "")
                bad = bad or next((name for name in labels if words.startswith(f"{name}:")), "")
                yield Hit(paths.get(bad, service.nearest("deploy", "labels")), words)
                if not bad or bad in _NEEDED:
                    break
                del labels[bad]


@rule("SW081", "http-twice", Severity.ERROR, "two services with the same path and host")
def http_twice(stack: Stack, _: Context) -> Iterator[Hit]:
    """Only one of them gets requests: the older one."""
    seen: dict[object, str] = {}
    for service in stack.services:
        labels, paths = _labels(stack, service)
        try:
            route = _route(service, labels) if has_route(labels) else None
        except LabelError:
            continue  # SW080
        for key, label, words in _claims(route) if route else ():
            if (first := seen.setdefault(key, service.name)) != service.name:
                text = f"the service {first!r} has {words} too: only one of them gets requests"
                yield Hit(paths.get(label, service.nearest("deploy", "labels")), text)


def _claims(route: Route) -> Iterator[tuple[object, str, str]]:
    """What no other service may have, the label that says it, and a name for it."""
    where = " ".join((*route.hosts, *route.paths))
    yield (route.conditions, route.priority), f"{PREFIX}path", f"the path and host {where}"
    if route.priority:
        yield route.priority, f"{PREFIX}priority", f"the priority {route.priority}"


def _route(service: Service, labels: dict[str, str]) -> Route:
    targets = [port.spec.target for port in service.ports if port.spec.protocol == "tcp"]
    return parse(service.name, labels, targets, 0, "")


def _labels(stack: Stack, service: Service) -> tuple[dict[str, str], dict[str, Path]]:
    """The labels of a service under ``deploy``, and where each is; those that are known."""
    labels: dict[str, str] = {}
    paths: dict[str, Path] = {}
    for name, text, step in _entries(service.get("deploy", "labels")):
        path = (*service.path, "deploy", "labels", step)
        if not stack.has_unset(path):
            labels[name], paths[name] = text, path
    return labels, paths


def _entries(found: Value) -> Iterator[tuple[str, str, str | int]]:
    """Name, value, and the last step of the path."""
    if isinstance(found, dict):
        yield from ((n, "" if v is None else spelled(v), n) for n, v in found.items())
    elif isinstance(found, list):
        for number, item in enumerate(found):
            name, _, text = str(item).partition("=")
            yield name, text, number


def _misplaced(service: Service) -> Iterator[Hit]:
    """Labels of the container, which the Swarm does not show."""
    found = service.get("labels")
    names = found if isinstance(found, dict | list) else ()
    if any(str(name).startswith(PREFIX) for name in names):
        words = f"{PREFIX}… under labels is a container's label: write it under deploy.labels"
        yield Hit((*service.path, "labels"), words)


@rule("SW048", "short-grace", Severity.WARNING, "killed before its load balancer has drained it")
def short_grace(stack: Stack, _: Context) -> Iterator[Hit]:
    """When Swarm stops a task by itself, the load balancer still sends it what it has begun."""
    for service in _balanced(stack):
        delay = _seconds(service.labels.get(_DELAY, ""), _DEFAULT_DELAY_S)
        grace = _seconds(service.text("stop_grace_period"), _DEFAULT_GRACE_S)
        if grace < delay:
            words = (
                f"{service.name!r} is killed {grace:g} s after it was told to stop, but its load "
                f"balancer drains it for {delay:g} s; set stop_grace_period: {delay:g}s or a "
                f"shorter {_DELAY}"
            )
            yield Hit(service.nearest("stop_grace_period"), words)


@rule("SW049", "stop-first", Severity.WARNING, "stop-first behind a load balancer")
def stop_first(stack: Stack, _: Context) -> Iterator[Hit]:
    """With start-first the old task leaves the load balancer while the new one starts."""
    for service in _balanced(stack):
        order = service.text("deploy", "update_config", "order")
        if order == "stop-first" and not _excludes_a_second(service, stack):
            words = (
                f"each update stops a task of {service.name!r} while its load balancer still uses "
                "it; use order: start-first"
            )
            yield Hit(service.nearest("deploy", "update_config", "order"), words)


def _balanced(stack: Stack) -> Iterator[Service]:
    for service in stack.services:
        if has_route(service.labels) and not service.is_job:
            yield service


def _excludes_a_second(service: Service, stack: Stack) -> bool:
    """Whether two tasks on one node would be in each other's way: a fixed host port, its data."""
    fixed = any(p.spec.mode == "host" and p.spec.published for p in service.ports)
    return fixed or any(facts.is_node_local(mount, stack) for mount in service.mounts)


def _seconds(text: str, default: float) -> float:
    try:
        return seconds(text) if text else default
    except ValueError:
        return default  # another rule reports it
