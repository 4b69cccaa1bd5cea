"""SW070 to SW072: unquoted values that YAML parsers read differently."""

from __future__ import annotations

import re
from collections.abc import Iterator

from swarmctl.reading.yaml_nodes import Path, ScalarNode
from swarmctl.stack.compose.scalars import ScalarError, Timestamp, resolve, spelled
from swarmctl.stack.compose.view import Stack
from swarmctl.stack.lint.rule import Context, Edit, Hit, Severity, rule

# YAML 1.1: base 60, as in 22:22 = 1342. https://yaml.org/type/int.html
_SEXAGESIMAL = re.compile(r"[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?\Z", re.ASCII)
_WORDS = frozenset(
    word for base in ("yes", "no", "on", "off") for word in (base, base.capitalize(), base.upper())
)
# Where a value ends up as text.
_TEXTS = ("environment", "labels", "args", "options", "driver_opts", "sysctls")


@rule("SW070", "base-60", Severity.WARNING, "an unquoted port such as 22:22 is 1342 in YAML 1.1")
def base_60(stack: Stack, _: Context) -> Iterator[Hit]:
    """Docker reads a string; Ansible, PyYAML and old docker-compose read a number."""
    for file, path, scalar in _plain(stack):
        if _SEXAGESIMAL.match(scalar.raw):
            words = (
                f"YAML 1.1 parsers (Ansible, PyYAML, old docker-compose) read {scalar.raw} as the "
                f"number {_base_60(scalar.raw)}: quote it"
            )
            yield Hit(path, words, on_value=True, edit=_quoted(scalar), file=file)


def _base_60(raw: str) -> str:
    number = 0
    for digits in raw.lstrip("+-").partition(".")[0].split(":"):
        number = number * 60 + int(digits.replace("_", "") or 0)
    return f"-{number}" if raw.startswith("-") else str(number)


@rule("SW071", "yes-no", Severity.INFO, "an unquoted yes, no, on or off is a boolean in YAML 1.1")
def yes_no(stack: Stack, _: Context) -> Iterator[Hit]:
    """Docker reads a string; other readers read true or false."""
    for file, path, scalar in _plain(stack):
        if scalar.raw in _WORDS:
            words = (
                f"Docker reads {scalar.raw} as a string, YAML 1.1 parsers as a boolean: quote it"
            )
            yield Hit(path, words, on_value=True, edit=_quoted(scalar), file=file)


@rule("SW072", "respelled", Severity.WARNING, "an unquoted number is changed")
def respelled(stack: Stack, _: Context) -> Iterator[Hit]:
    """0755 arrives as 493, 3.10 as 3.1 and 1e3 as 1000."""
    for file, path, scalar in _plain(stack):
        if not (isinstance(path[-1], str) and any(name in path[:-1] for name in _TEXTS)):
            continue
        try:
            value = resolve(scalar.raw, plain=True)
        except ScalarError:
            continue
        changed = isinstance(value, int | float | Timestamp) and not isinstance(value, bool)
        if changed and spelled(value) != scalar.raw:
            words = f"without quotes, {scalar.raw} becomes {spelled(value)}: quote it"
            yield Hit(path, words, on_value=True, edit=_quoted(scalar), file=file)


def _plain(stack: Stack) -> Iterator[tuple[int, Path, ScalarNode]]:
    for number, file in enumerate(stack.files):
        for path, scalar in file.document.scalars():
            if scalar.plain and not scalar.tag and path:
                yield number, path, scalar


def _quoted(scalar: ScalarNode) -> Edit:
    return Edit(scalar.start.offset, scalar.end.offset, f'"{scalar.raw}"')
