"""SW040 to SW042: services that do not come back when their node dies."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.reading import quantities
from swarmctl.stack.compose.view import Service, Stack
from swarmctl.stack.lint.rule import Context, Hit, Severity, rule

_POLICY = ("deploy", "restart_policy")


@rule("SW040", "restart-none", Severity.WARNING, "condition: none loses the replica with its node")
def restart_none(stack: Stack, _: Context) -> Iterator[Hit]:
    """A task lost with its node is replaced only when its policy allows a restart."""
    for service in stack.services:
        if service.is_job or service.text(*_POLICY, "condition") != "none":
            continue
        words = (
            "with condition: none, a replica lost with its node is not replaced; use any or "
            "on-failure (or mode: replicated-job for a task that runs once)"
        )
        yield Hit((*service.path, *_POLICY, "condition"), words)


@rule("SW041", "max-attempts", Severity.WARNING, "relocations use up max_attempts")
def max_attempts(stack: Stack, _: Context) -> Iterator[Hit]:
    """Each relocation counts as an attempt; after the last one the replica stays lost."""
    for service in stack.services:
        attempts = service.whole(*_POLICY, "max_attempts")
        if service.is_job or not attempts or attempts < 0 or _has_window(service):
            continue
        counted = "restarts on a node" if service.is_global else "restarts and relocations together"
        lost = "the task of that node" if service.is_global else "a lost replica"
        words = (
            f"after {attempts} {counted}, over any length of time, {lost} is not replaced; "
            "remove max_attempts, or add a window"
        )
        yield Hit((*service.path, *_POLICY, "max_attempts"), words)


def _has_window(service: Service) -> bool:
    try:
        return quantities.duration(service.text(*_POLICY, "window")) > 0
    except ValueError:
        return False


@rule("SW042", "single-replica", Severity.INFO, "one replica: an outage whenever it moves")
def single_replica(stack: Stack, _: Context) -> Iterator[Hit]:
    """With one task, nothing serves between a node's death and the restart."""
    for service in stack.services:
        if service.mode != "replicated" or service.replicas != 1:
            continue
        written = service.get("deploy", "replicas") is not None
        path = (*service.path, "deploy", "replicas") if written else service.path
        words = (
            f"{service.name!r} has one replica: if its node dies, it is down until another node "
            "has started it"
        )
        severity = Severity.WARNING if service.published else None
        yield Hit(path, words, severity=severity)
