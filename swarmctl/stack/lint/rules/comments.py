"""SW090: comments of ours that name no rule. The engine finds them; see ``suppress``."""

from __future__ import annotations

from collections.abc import Iterable

from swarmctl.stack.compose.view import Stack
from swarmctl.stack.lint.rule import Context, Hit, Severity, rule


@rule("SW090", "unknown-rule", Severity.WARNING, "a disable comment names no rule")
def unknown_rule(stack: Stack, swarm: Context) -> Iterable[Hit]:
    """Nothing to see in the values: the engine reads the comments."""
    del stack, swarm
    return ()
