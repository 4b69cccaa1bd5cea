"""SW001 to SW005, SW009, SW090: refused files, unset variables, unknown rules in comments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from swarmctl.stack.compose.check import Kind
from swarmctl.stack.compose.view import Stack
from swarmctl.stack.lint.rule import Context, Hit, Severity, rule

RULE_OF = {
    Kind.SYNTAX: "SW001",
    Kind.SCHEMA: "SW002",
    Kind.VARIABLE: "SW003",
    Kind.VALUE: "SW004",
    Kind.ENV_FILE: "SW005",
    Kind.UNSET: "SW009",
}


def _register(kind: Kind, name: str, summary: str) -> None:
    severity = Severity.WARNING if kind is Kind.UNSET else Severity.ERROR

    @rule(RULE_OF[kind], name, severity, summary)
    def check(stack: Stack, _: Context) -> Iterator[Hit]:
        for number, file in enumerate(stack.files):
            for refusal in file.refusals:
                if refusal.kind is kind:
                    yield Hit(refusal.path, refusal.message, on_value=refusal.on_value, file=number)


_register(Kind.SYNTAX, "not-yaml", "docker stack cannot parse the YAML")
_register(Kind.SCHEMA, "schema", "a key or type that the compose file's version does not allow")
_register(Kind.VARIABLE, "interpolation", "a ${VARIABLE} cannot be substituted")
_register(Kind.VALUE, "unreadable-value", "docker stack cannot read a value")
_register(Kind.ENV_FILE, "env-file", "an env_file is missing or unreadable")
_register(Kind.UNSET, "unset-variable", "a variable is unset: the value is empty")


@rule("SW090", "unknown-rule", Severity.WARNING, "a disable comment names an unknown rule")
def unknown_rule(stack: Stack, _: Context) -> Iterable[Hit]:
    """The engine reads the comments; nothing is found in the values."""
    del stack
    return ()
