"""SW001 to SW005 and SW009: what ``docker stack`` refuses, and variables that it empties."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.stack.compose.check import Kind
from swarmctl.stack.compose.view import Stack
from swarmctl.stack.lint.rule import Context, Hit, Severity, rule

RULES = {
    Kind.SYNTAX: "SW001",
    Kind.SCHEMA: "SW002",
    Kind.VARIABLE: "SW003",
    Kind.VALUE: "SW004",
    Kind.ENV_FILE: "SW005",
    Kind.UNSET: "SW009",
}


def _register(kind: Kind, name: str, summary: str) -> None:
    severity = Severity.WARNING if kind is Kind.UNSET else Severity.ERROR

    @rule(RULES[kind], name, severity, summary)
    def check(stack: Stack, swarm: Context) -> Iterator[Hit]:
        del swarm
        for number, file in enumerate(stack.files):
            for refusal in file.refusals:
                if refusal.kind is kind:
                    yield Hit(refusal.path, refusal.message, on_value=refusal.on_value, file=number)


_register(Kind.SYNTAX, "not-yaml", "not YAML as docker stack reads it")
_register(Kind.SCHEMA, "schema", "a key or type that the compose file's version does not allow")
_register(Kind.VARIABLE, "interpolation", "a ${VARIABLE} cannot be substituted")
_register(Kind.VALUE, "unreadable-value", "a value docker stack cannot read")
_register(Kind.ENV_FILE, "env-file", "an env_file is missing or unreadable")
_register(Kind.UNSET, "unset-variable", "an unset variable becomes empty")
