"""Several files of one stack made one, as ``docker stack -c a.yml -c b.yml`` does.

Follows docker/cli cli/compose/loader/merge.go and the package mergo in their effects, odd ones
included: an override cannot set a value to ``false``, ``0`` or ``""``, most lists are joined, and
a service's ports are told apart by their published number alone. Docker joins lists even where
that repeats an item; here an item appears once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from swarmctl.reading import quantities
from swarmctl.reading.yaml_nodes import Path
from swarmctl.stack.compose import notations
from swarmctl.stack.compose.entries import (
    IDENTITIES,
    Entry,
    PlaceOf,
    attachment,
    context,
    hosts,
    items,
    pairs,
    single_ports,
    with_filled,
)
from swarmctl.stack.compose.language import SERVICE
from swarmctl.stack.compose.origins import Origins, Place
from swarmctl.stack.compose.rules import ANYTHING, Rule, Type
from swarmctl.stack.compose.scalars import Value

ReadFile = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Merged:
    """The content of a stack's files, and where each value is written."""

    config: dict[str, Value]
    origins: Origins

    def text(self) -> str:
        """The content as a compose file, for ``docker stack``: JSON, which is YAML."""
        return json.dumps(_escaped(self.config), ensure_ascii=False, indent=2) + "\n"


def _escaped(value: Value) -> Value:
    """The value with each ``$`` doubled: its variables are substituted already."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def merge(
    files: Sequence[Mapping[str, Value]], environment: Mapping[str, str], read_file: ReadFile
) -> Merged:
    """Make one stack of several files; later ones override earlier ones.

    Args:
        files: their content, variables substituted.
        environment: where variables without a value are looked up.
        read_file: the content of an ``env_file``, relative to the first file's folder.
    """
    config, origins = dict(files[0]), Origins()
    for number, override in enumerate(files[1:], start=1):
        _Merge(number, environment, read_file, origins).sections(config, override)
    return Merged(config, origins)


# Numbers that Docker tells apart from "not given", so that an override may set them to 0.
_POINTERS = frozenset(("replicas", "parallelism", "max_attempts", "retries"))


@dataclass(frozen=True, slots=True)
class _Merge:
    """One file being merged into those before it."""

    file: int
    environment: Mapping[str, str]
    read_file: ReadFile
    origins: Origins

    def sections(self, config: dict[str, Value], override: Mapping[str, Value]) -> None:
        for section in ("services", "networks", "volumes", "secrets", "configs"):
            theirs, ours = override.get(section), config.get(section)
            if not isinstance(theirs, dict):
                continue
            result = dict(ours) if isinstance(ours, dict) else {}
            for name, value in theirs.items():
                path = (section, name)
                base = result.get(name)
                if section == "services" and isinstance(base, dict) and isinstance(value, dict):
                    result[name] = self._service(base, value, path)
                else:
                    result[name] = self._taken(value, path)
            config[section] = result

    def _service(self, base: dict[str, Value], over: dict[str, Value], path: Path) -> Value:
        # Docker sorts and thins out these lists even when the override has none.
        lists = {key: over.get(key) or [] for key in IDENTITIES if base.get(key) is not None}
        rest = {key: value for key, value in over.items() if key != "environment"}
        variables = self._variables(base, path, self.origins.of)
        result = self._maps(base, {**rest, **lists}, SERVICE, path)
        if over.get("environment") or over.get("env_file"):
            variables = with_filled(variables, self._variables(over, path, self._place))
            result["environment"] = self._put_map(variables, (*path, "environment"))
        return result

    # --- any value --------------------------------------------------------------------------------

    def _value(self, key: str, base: Value, over: Value, rule: Rule, path: Path) -> Value:
        known = rule is not ANYTHING
        if known and key in _HANDLERS:
            return _HANDLERS[key](self, base, over, path)
        if isinstance(base, dict) and isinstance(over, dict):
            return self._maps(base, over, rule, path)
        lists = isinstance(base, list) and isinstance(over, list)
        if lists or (known and any(form.type is Type.LIST for form in rule.forms)):
            return self._joined(base, over, rule, path)
        return base if known and _is_empty(key, over, rule) else self._taken(over, path)

    def _taken(self, value: Value, path: Path) -> Value:
        self.origins.put(path, Place(self.file, path))
        return value

    def _maps(
        self, base: dict[str, Value], over: dict[str, Value], rule: Rule, path: Path
    ) -> dict[str, Value]:
        keys = next((form.keys for form in rule.forms if form.type is Type.MAP), {})
        result = dict(base)
        for key, value in over.items():
            below = (*path, key)
            if base.get(key) is None and key in IDENTITIES and value == []:
                continue  # for Docker this list is still not given
            if base.get(key) is None:
                result[key] = self._taken(value, below)
            else:
                holds = keys.get(key, ANYTHING)
                result[key] = self._value(key, base[key], value, holds, below)
        return result

    def _joined(self, base: Value, over: Value, rule: Rule, path: Path) -> Value:
        entries = [*items(base, path, self.origins.of), *items(over, path, self._place)]
        if any(form.unique_until >= 0 for form in rule.forms):
            first: dict[str, Entry] = {}
            for value, place in entries:
                first.setdefault(json.dumps(value), (value, place))
            entries = list(first.values())
        return self._put_list(entries, path)

    def _place(self, path: Path) -> Place:
        return Place(self.file, path)

    def _put_list(self, entries: Sequence[Entry], path: Path) -> list[Value]:
        self.origins.put(path, self.origins.of(path))
        for index, (_, place) in enumerate(entries):
            self.origins.put((*path, index), place)
        return [value for value, _ in entries]

    def _put_map(self, entries: Mapping[str, Entry], path: Path) -> dict[str, Value]:
        self.origins.put(path, self.origins.of(path))
        for key, (_, place) in entries.items():
            self.origins.put((*path, key), place)
        return {key: value for key, (value, _) in entries.items()}

    # --- values with a way of their own -----------------------------------------------------------

    def _variables(
        self, service: dict[str, Value], path: Path, place_of: PlaceOf
    ) -> dict[str, Entry]:
        """A service's environment, with the variables of its files."""
        found: dict[str, Entry] = {}
        for name, place in items(service.get("env_file"), (*path, "env_file"), place_of):
            found |= {key: (value, place) for key, value in self._env_file(name).items()}
        found |= pairs(service.get("environment"), (*path, "environment"), place_of)
        return {
            name: (self.environment.get(name, value) if value in (None, "") else value, place)
            for name, (value, place) in found.items()
        }

    def _env_file(self, name: Value) -> dict[str, str | None]:
        data = self.read_file(name) if isinstance(name, str) else None
        try:
            variables = notations.env_file(data or b"")
        except notations.NotationError:
            return {}  # refused already
        return {k: v for k, v in variables.items() if v is not None or k in self.environment}

    def _arguments(self, base: Value, over: Value, path: Path) -> Value:
        found = pairs(over, path, self._place)
        return self._put_map(with_filled(pairs(base, path, self.origins.of), found), path)

    def _labels(self, base: Value, over: Value, path: Path) -> Value:
        both = pairs(base, path, self.origins.of) | pairs(over, path, self._place)
        return self._put_map(both, path)

    def _keyed(self, base: Value, over: Value, path: Path) -> Value:
        key = str(path[-1])
        found: dict[Value, Entry] = {}
        for value, place in (
            *items(base, path, self.origins.of),
            *items(over, path, self._place),
        ):
            for item in single_ports(value) if key == "ports" else (value,):
                found[IDENTITIES[key](item)] = (item, place)
        return self._put_list([found[identity] for identity in sorted(found)], path)

    def _networks(self, base: Value, over: Value, path: Path) -> Value:
        result = pairs(base, path, self.origins.of)
        for name, (value, place) in pairs(over, path, self._place).items():
            ours = result[name][0] if name in result else None
            if ours is None:
                result[name] = (value, place)
            elif value is not None:
                kept = {k: v for k, v in ours.items() if k != "aliases"}
                result[name] = ({**kept, **attachment(value)}, place)
        return self._put_map(result, path)

    def _logging(self, base: Value, over: Value, path: Path) -> Value:
        if not isinstance(base, dict) or not isinstance(over, dict):
            return self._taken(over, path)
        ours, theirs = base.get("driver"), over.get("driver")
        if ours and theirs and ours != theirs:
            return self._taken(over, path)
        result = dict(base)
        if theirs and not ours:
            result["driver"] = self._taken(theirs, (*path, "driver"))
        if isinstance(base.get("options"), dict):  # without any, Docker drops the override's
            options = (*path, "options")
            result["options"] = self._labels(base["options"], over.get("options"), options)
        return result

    def _command(self, base: Value, over: Value, path: Path) -> Value:
        words = over.strip() if isinstance(over, str) else over
        return self._taken(over, path) if words else base

    def _test(self, base: Value, over: Value, path: Path) -> Value:
        def words(value: Value, place_of: PlaceOf) -> Iterator[Entry]:
            if isinstance(value, str):
                yield "CMD-SHELL", place_of(path)
            yield from items(value, path, place_of)

        return self._put_list([*words(base, self.origins.of), *words(over, self._place)], path)

    def _hosts(self, base: Value, over: Value, path: Path) -> Value:
        return self._joined(hosts(base), hosts(over), SERVICE.forms[0].keys["dns"], path)

    def _build(self, base: Value, over: Value, path: Path) -> Value:
        rule = SERVICE.forms[0].keys["build"]
        return self._maps(context(base), context(over), rule, path)


_HANDLERS: dict[str, Callable[[_Merge, Value, Value, Path], Value]] = {
    "args": _Merge._arguments,
    "build": _Merge._build,
    "command": _Merge._command,
    "entrypoint": _Merge._command,
    "extra_hosts": _Merge._hosts,
    "labels": _Merge._labels,
    "logging": _Merge._logging,
    "networks": _Merge._networks,
    "sysctls": _Merge._labels,
    "test": _Merge._test,
    "ulimits": _Merge._labels,
    **dict.fromkeys(("configs", "ports", "secrets", "volumes"), _Merge._keyed),
}


def _is_empty(key: str, value: Value, rule: Rule) -> bool:
    """Whether Docker takes a value for "not given"."""
    if value is None or key in _POINTERS:
        return value is None
    if not isinstance(value, str):
        return not value
    for read in (quantities.duration, quantities.size):
        if any(form.read is read for form in rule.forms):
            try:
                return read(value) == 0
            except ValueError:
                return False  # refused already
    return not value
