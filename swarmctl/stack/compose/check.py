"""Compares a compose file with the table of the compose language, place by place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from swarmctl.reading.yaml_nodes import Path
from swarmctl.stack.compose import wording
from swarmctl.stack.compose.language import FILE, NEWEST
from swarmctl.stack.compose.rules import ANYTHING, Form, Rule, Type
from swarmctl.stack.compose.scalars import Timestamp, Value, spelled


class Kind(Enum):
    """Why a file is refused."""

    SYNTAX = "not YAML"
    SCHEMA = "a key or type that is not allowed"
    VARIABLE = "a variable that cannot be substituted"
    VALUE = "a value that cannot be read"
    ENV_FILE = "an env_file that cannot be read"
    UNSET = "a variable without a value: accepted, as an empty string"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason for which ``docker stack config`` fails, or for ``UNSET`` should fail.

    Attributes:
        kind: why.
        path: where.
        message: what is wrong, for a person.
        on_value: whether the value is at fault, or its key.
    """

    kind: Kind
    path: Path
    message: str
    on_value: bool = True


def version_of(config: Mapping[str, Value]) -> int | None:
    """The minor number of the version a file asks for, ``None`` if Docker does not know it.

    A file without a version, or with just ``3``, asks for the newest.
    """
    text = spelled(config.get("version", "3"))
    if text in ("", "3"):
        return NEWEST
    known = {f"3.{minor}": minor for minor in range(NEWEST + 1)}
    return known.get(text)


def check(config: Mapping[str, Value], version: int) -> Iterator[Refusal]:
    """Everything in a file that its version does not allow.

    Args:
        config: the whole file, variables substituted.
        version: as from :func:`version_of`.
    """
    return _Check(version).value(config, FILE, ())


@dataclass(frozen=True, slots=True)
class _Check:
    version: int

    def value(self, value: Value, rule: Rule, path: Path) -> Iterator[Refusal]:
        if rule is ANYTHING:
            return
        form = next((form for form in rule.forms if form.type.holds(value)), None)
        if form is None or form.since > self.version:
            allowed = [f.type for f in rule.forms if f.since <= self.version]
            words = wording.wrong_type(allowed, value, path, form.since if form else None)
            yield Refusal(Kind.SCHEMA, path, words)
        elif form.type is Type.MAP:
            yield from self._map(value, form, path)
        elif form.type is Type.LIST:
            yield from self._list(value, form, path)
        else:
            yield from _single(value, form, path)

    def _list(self, value: list[Value], form: Form, path: Path) -> Iterator[Refusal]:
        assert form.item is not None
        seen: dict[str, int] = {}
        for index, item in enumerate(value):
            yield from self.value(item, form.item, (*path, index))
            text = json.dumps(_canonical(item), sort_keys=True)
            if seen.setdefault(text, index) != index and self.version <= form.unique_until:
                yield Refusal(
                    Kind.SCHEMA, (*path, index), f"repeats item {seen[text] + 1} of the list"
                )

    def _map(self, value: dict[str, Value], form: Form, path: Path) -> Iterator[Refusal]:
        for key in form.required:
            if key not in value:
                yield Refusal(Kind.SCHEMA, path, f"the key {key!r} is missing", on_value=False)
        for key, item in value.items():
            below = (*path, key)
            rule = self._rule_for(key, form)
            if rule is not None:
                yield from self.value(item, rule, below)
            else:
                yield Refusal(Kind.SCHEMA, below, self._unknown(key, form, path), on_value=False)

    def _rule_for(self, key: str, form: Form) -> Rule | None:
        """What a key of a map holds, ``None`` if there is no such key."""
        if key in form.keys and form.keys[key].since <= self.version:
            return form.keys[key]
        if form.names is not None:
            return form.names.holds if form.names.pattern.fullmatch(key) else form.names.odd
        if key.startswith("x-") and self._has(form.extensions_since):
            return ANYTHING
        return ANYTHING if self._has(form.extra_since) else None

    def _unknown(self, key: str, form: Form, path: Path) -> str:
        if form.names is not None:
            return wording.wrong_name(key)
        if key in form.keys:
            return wording.newer_key(key, form.keys[key].since)
        if key.startswith("x-") and form.extensions_since is not None:
            return wording.newer_key(key, form.extensions_since)
        if form.extra_since is not None:
            return wording.newer_key(key, form.extra_since)
        known = [name for name, rule in form.keys.items() if rule.since <= self.version]
        return wording.unknown_key(key, path, known)

    def _has(self, since: int | None) -> bool:
        return since is not None and since <= self.version


def _single(value: Value, form: Form, path: Path) -> Iterator[Refusal]:
    if isinstance(value, Timestamp) and not form.is_printed:
        yield Refusal(Kind.VALUE, path, "YAML reads this as a time: quote it to make it a string")
    elif form.choices and value not in form.choices:
        yield Refusal(Kind.SCHEMA, path, f"must be {wording.either(form.choices)}, not {value!r}")
    elif form.read is not None:
        try:
            form.read(value)
        except ValueError as fault:
            yield Refusal(Kind.VALUE if form.late else Kind.SCHEMA, path, str(fault))


def _canonical(value: Value) -> Value:
    """The value with 2.0 as 2, which JSON does not tell apart."""
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
