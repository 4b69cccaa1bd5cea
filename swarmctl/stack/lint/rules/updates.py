"""SW046 and SW047: updates that interrupt a published service, or leave it broken."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.stack.compose.view import Service, Stack
from swarmctl.stack.lint.rule import Context, Hit, Severity, rule


@rule("SW046", "update-order", Severity.WARNING, "no update order on a published service")
def update_order(stack: Stack, _: Context) -> Iterator[Hit]:
    """The default stops a task before its replacement runs."""
    for service in _updated(stack):
        if not service.text("deploy", "update_config", "order"):
            words = (
                f"each update of {service.name!r} stops a task before the new one runs (default: "
                "stop-first); use order: start-first, or stop-first if two cannot run at once"
            )
            yield Hit(service.nearest("deploy", "update_config"), words)


@rule("SW047", "no-rollback", Severity.WARNING, "no rollback on a published service")
def no_rollback(stack: Stack, _: Context) -> Iterator[Hit]:
    """The default pauses a failed update: old and failed tasks remain."""
    for service in _updated(stack):
        if not service.text("deploy", "update_config", "failure_action"):
            words = (
                f"if an update of {service.name!r} fails, it stops half-way (default: pause); use "
                "failure_action: rollback"
            )
            yield Hit(service.nearest("deploy", "update_config"), words)


def _updated(stack: Stack) -> Iterator[Service]:
    for service in stack.services:
        if service.published and not service.is_job:
            yield service
