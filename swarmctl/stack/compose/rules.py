"""How the table of the compose language is written down: what a value may be.

A :class:`Rule` lists the forms a value may take, one for each type. Versions are the minor number
of a compose file's version: 4 is ``3.4``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from swarmctl.stack.compose.scalars import Value


class Type(StrEnum):
    """The types of a value, as messages name them."""

    TEXT = "a string"
    NUMBER = "a number"
    WHOLE = "a whole number"
    FLAG = "a boolean"
    EMPTY = "empty"
    LIST = "a list"
    MAP = "a map"

    def holds(self, value: Value) -> bool:
        """Whether a value is of this type; 2.0 is a whole number."""
        if self is Type.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        if self is Type.WHOLE:
            return Type.NUMBER.holds(value) and float(value).is_integer()
        return isinstance(value, _PYTHON[self])


_PYTHON: dict[Type, type] = {
    Type.TEXT: str,
    Type.FLAG: bool,
    Type.EMPTY: type(None),
    Type.LIST: list,
    Type.MAP: dict,
}


@dataclass(frozen=True, slots=True)
class Names:
    """A map's free keys.

    Attributes:
        pattern: what a whole key must match.
        holds: what such a key holds.
        odd: what other keys hold; ``None`` when they are refused.
    """

    pattern: re.Pattern[str]
    holds: Rule
    odd: Rule | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """One type that a value may have, and what is asked of it then.

    Attributes:
        type: the type.
        since: the first version that allows it.
        read: raises ``ValueError`` for a value that Docker cannot read.
        late: whether Docker reads it only after its schema has accepted the file.
        choices: the allowed strings; empty for any.
        is_printed: Docker prints the value, so that a time is as good as a string.
        item: what a list holds.
        unique_until: the last version in which a list must not repeat an item.
        keys: a map's keys.
        required: keys that a map must have.
        names: a map's free keys.
        extra_since: the first version that ignores unknown keys; ``None`` when all refuse them.
        extensions_since: the first version that allows keys which begin with ``x-``.
    """

    type: Type
    since: int = 0
    read: Callable[[Value], object] | None = None
    late: bool = False
    choices: tuple[str, ...] = ()
    is_printed: bool = False
    item: Rule | None = None
    unique_until: int = -1
    keys: Mapping[str, Rule] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    names: Names | None = None
    extra_since: int | None = None
    extensions_since: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """The forms that a value may have, at most one of each type."""

    forms: tuple[Form, ...]

    def __or__(self, other: Rule) -> Rule:
        return Rule(self.forms + other.forms)

    @property
    def since(self) -> int:
        """The first version in which there is such a value."""
        return min((form.since for form in self.forms), default=0)


ANYTHING = Rule(())


def since(version: int, rule: Rule) -> Rule:
    """The rule, for files of this version and newer ones."""
    return Rule(tuple(replace(form, since=max(version, form.since)) for form in rule.forms))


def a(
    type_: Type,
    *choices: str,
    read: Callable[[Value], object] | None = None,
    late: bool = False,
    is_printed: bool = False,
) -> Rule:
    """A single value of one type; see :class:`Form`."""
    return Rule((Form(type_, read=read, late=late, choices=choices, is_printed=is_printed),))


def list_of(item: Rule, *, unique_until: int = -1) -> Rule:
    """A list; see :class:`Form`."""
    return Rule((Form(Type.LIST, item=item, unique_until=unique_until),))


def map_of(
    keys: Mapping[str, Rule],
    *,
    required: tuple[str, ...] = (),
    extra_since: int | None = None,
    extensions_since: int | None = None,
) -> Rule:
    """A map with given keys; see :class:`Form`."""
    form = Form(
        Type.MAP,
        keys=keys,
        required=required,
        extra_since=extra_since,
        extensions_since=extensions_since,
    )
    return Rule((form,))


def named(pattern: str, holds: Rule, odd: Rule | None = None) -> Rule:
    """A map with free keys; see :class:`Names`."""
    return Rule((Form(Type.MAP, names=Names(re.compile(pattern), holds, odd)),))
