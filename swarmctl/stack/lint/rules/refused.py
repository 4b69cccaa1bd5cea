"""SW001 to SW009: what ``docker stack`` refuses, and variables that it silently empties."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from swarmctl.stack.compose import accept
from swarmctl.stack.compose.view import Stack
from swarmctl.stack.lint.rule import Context, Hit, Severity, rule

# The rules that say: `docker stack config` fails.
REFUSALS = (accept.SYNTAX, accept.SCHEMA, accept.VARIABLE, accept.VALUE, accept.ENV_FILE)


def _of(id_: str) -> Callable[[Stack, Context], Iterator[Hit]]:
    def check(stack: Stack, swarm: Context) -> Iterator[Hit]:
        del swarm
        for refusal in stack.refusals:
            if refusal.rule == id_:
                yield Hit(refusal.path, refusal.message, on_value=refusal.on_value)

    return check


rule(accept.SYNTAX, "not-yaml", Severity.ERROR, "not YAML as docker stack reads it")(
    _of(accept.SYNTAX)
)
rule(accept.SCHEMA, "schema", Severity.ERROR, "not what the compose schema allows")(
    _of(accept.SCHEMA)
)
rule(accept.VARIABLE, "interpolation", Severity.ERROR, "a ${VARIABLE} cannot be substituted")(
    _of(accept.VARIABLE)
)
rule(accept.VALUE, "unreadable-value", Severity.ERROR, "a value docker stack cannot read")(
    _of(accept.VALUE)
)
rule(accept.ENV_FILE, "env-file", Severity.ERROR, "an env_file is missing or unreadable")(
    _of(accept.ENV_FILE)
)
rule(accept.UNSET, "unset-variable", Severity.WARNING, "an unset variable becomes empty")(
    _of(accept.UNSET)
)
