"""SW043 to SW045: health checks, memory limits and reservations."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.stack.compose.view import Service, Stack
from swarmctl.stack.lint.rule import Context, Hit, Severity, rule


@rule("SW043", "no-healthcheck", Severity.WARNING, "no health check on a published service")
def no_healthcheck(stack: Stack, _: Context) -> Iterator[Hit]:
    """Without one, a task gets traffic as soon as its process exists."""
    for service in stack.services:
        if service.is_job or (_is_checked(service) and not _is_disabled(service)):
            continue
        severity = None if service.published else Severity.INFO
        if _is_disabled(service):
            words = f"the health check of {service.name!r} is disabled"
            yield Hit((*service.path, "healthcheck"), words, severity=severity)
        else:
            words = (
                f"{service.name!r} has no health check here (its image may have one): a task gets "
                "traffic before it is ready, and is not replaced if it hangs"
            )
            yield Hit(service.path, words, severity=severity)


def _is_checked(service: Service) -> bool:
    return bool(service.get("healthcheck", "test"))


def _is_disabled(service: Service) -> bool:
    test = service.get("healthcheck", "test")
    none = isinstance(test, list) and test[:1] == ["NONE"]
    return service.get("healthcheck", "disable") is True or none


@rule("SW044", "no-limits", Severity.WARNING, "no memory limit")
def no_limits(stack: Stack, _: Context) -> Iterator[Hit]:
    """One task can use up the memory of its node."""
    for service in stack.services:
        if not _has_memory(stack, service, "limits"):
            words = f"{service.name!r} has no memory limit: a leak can take down its node"
            yield Hit(service.nearest("deploy", "resources"), words)


@rule("SW045", "no-reservations", Severity.WARNING, "no memory reservation")
def no_reservations(stack: Stack, _: Context) -> Iterator[Hit]:
    """The scheduler counts reservations only; without them it overloads the surviving nodes."""
    for service in stack.services:
        if not _has_memory(stack, service, "reservations"):
            words = (
                f"{service.name!r} reserves no memory: if a node dies, the scheduler moves its "
                "tasks without regard to the memory they need"
            )
            yield Hit(service.nearest("deploy", "resources"), words)


def _has_memory(stack: Stack, service: Service, section: str) -> bool:
    steps = ("deploy", "resources", section, "memory")
    # With a variable that is not set it is unknown; SW009 says so.
    return bool(service.get(*steps)) or stack.has_unset((*service.path, *steps))
