"""Judges a compose file by the JSON schema of its version, as published with docker/cli 28.2.2.

The schemas (draft 4, see ``schemas/ORIGIN.md``) use a dozen keywords. They are evaluated here and
not by a library for two reasons: every fault must lead to a line of the file and say it in the
words of a compose author, and importing a general validator takes longer than the whole lint. A
unit test holds this evaluator against the package ``jsonschema``.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from swarmctl.reading import quantities
from swarmctl.reading.names import suggestion
from swarmctl.reading.yaml_nodes import Path
from swarmctl.stack.compose import notations as specs
from swarmctl.stack.compose.scalars import Value, spelled

NEWEST = "3.13"
VERSIONS = tuple(f"3.{minor}" for minor in range(14))
SOURCE = "docker/cli v28.2.2, config_schema_v3.0 to v3.13"

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which a value is not what the schema asks for."""

    path: Path
    message: str
    on_value: bool = True  # whether the value is at fault, or its key


def version_of(config: Mapping[str, Value]) -> str:
    """The schema version a file asks for; the newest when it names none (or just ``3``)."""
    if "version" not in config:
        return NEWEST
    text = spelled(config["version"])
    return NEWEST if text in ("", "3") else text


def faults(config: Mapping[str, Value], version: str) -> list[Fault]:
    """Everything the schema of that version has against a file; empty when it fits.

    Args:
        config: the whole file, variables substituted.
        version: as from :func:`version_of`.
    """
    if version not in VERSIONS:
        words = f"unsupported compose file version {version!r}: docker stack knows 3.0 to {NEWEST}"
        return [Fault(("version",), words)]
    return list(_check(config, load(version), load(version), ()))


@functools.cache
def load(version: str) -> dict[str, Any]:
    """The schema of a version, e.g. ``3.13``."""
    file = resources.files(__package__) / "schemas" / f"config_schema_v{version}.json"
    schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return schema


def _check(value: Value, schema: Schema, root: Schema, path: Path) -> Iterator[Fault]:
    while "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    if "type" in schema and not _has_type(value, schema["type"]):
        yield Fault(path, f"must be {_kinds(schema['type'])}, and is {_described(value)}")
        return
    for keyword, check in _KEYWORDS.items():
        if keyword in schema:
            yield from check(value, schema, root, path)


# --- keywords -------------------------------------------------------------------------------------


def _members(value: Value, schema: Schema, root: Schema, path: Path) -> Iterator[Fault]:
    """``properties``, ``patternProperties`` and ``additionalProperties`` together."""
    if not isinstance(value, dict):
        return
    known = schema.get("properties", {})
    for key, item in value.items():
        schemas = [known[key]] if key in known else []
        schemas += [
            below
            for pattern, below in schema.get("patternProperties", {}).items()
            if _pattern(pattern).search(key)
        ]
        for below in schemas:
            yield from _check(item, below, root, (*path, key))
        if not schemas and schema.get("additionalProperties") is False:
            yield Fault((*path, key), _not_allowed(key, path, known), on_value=False)


def _required(value: Value, schema: Schema, root: Schema, path: Path) -> Iterator[Fault]:
    del root
    if isinstance(value, dict):
        for key in schema["required"]:
            if key not in value:
                yield Fault(path, f"the key {key!r} is missing", on_value=False)


def _items(value: Value, schema: Schema, root: Schema, path: Path) -> Iterator[Fault]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check(item, schema["items"], root, (*path, index))


def _unique(value: Value, schema: Schema, root: Schema, path: Path) -> Iterator[Fault]:
    del schema, root
    seen: dict[str, int] = {}
    for index, item in enumerate(value if isinstance(value, list) else ()):
        text = json.dumps(_canonical(item), sort_keys=True)
        if text in seen:
            yield Fault((*path, index), f"the same as item {seen[text] + 1} of the list")
        seen.setdefault(text, index)


def _enum(value: Value, schema: Schema, root: Schema, path: Path) -> Iterator[Fault]:
    del root
    if value not in schema["enum"]:
        yield Fault(path, f"must be one of {', '.join(schema['enum'])}, and is {value!r}")


def _minimum(value: Value, schema: Schema, root: Schema, path: Path) -> Iterator[Fault]:
    del root
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and value < schema["minimum"]:
        yield Fault(path, f"must be at least {schema['minimum']}")


def _format(value: Value, schema: Schema, root: Schema, path: Path) -> Iterator[Fault]:
    del root
    read = _FORMATS.get(schema["format"])
    if read is None:
        return
    try:
        read(spelled(value))
    except ValueError as fault:
        yield Fault(path, str(fault))


def _one_of(value: Value, schema: Schema, root: Schema, path: Path) -> Iterator[Fault]:
    branches = [list(_check(value, branch, root, path)) for branch in schema["oneOf"]]
    if sum(not found for found in branches) == 1:
        return
    # The branch of the right type knows best what is wrong; if none is, say what there may be.
    inside = [found for found in branches if found and not _is_type_fault(found, path)]
    if inside:
        yield from inside[0]
        return
    kinds = sorted({kind for branch in schema["oneOf"] for kind in _types(branch, root)})
    words = f"must be {_kinds(kinds)}, and is {_described(value)}"
    yield Fault(path, words + _map_instead_of_list(path, value))


def _is_type_fault(found: list[Fault], path: Path) -> bool:
    return found[0].path == path and found[0].message.startswith("must be a")


def _types(schema: Schema, root: Schema) -> list[str]:
    while "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else list(kinds)


_KEYWORDS: dict[str, Callable[[Value, Schema, Schema, Path], Iterator[Fault]]] = {
    "required": _required,
    "enum": _enum,
    "format": _format,
    "minimum": _minimum,
    "items": _items,
    "uniqueItems": _unique,
    "oneOf": _one_of,
    "type": _members,  # every schema of maps names its type
}
_FORMATS: dict[str, Callable[[str], object]] = {
    "ports": specs.ports,
    "duration": quantities.duration,
}


# --- types and words ------------------------------------------------------------------------------


def _has_type(value: Value, wanted: str | list[str]) -> bool:
    kinds = [wanted] if isinstance(wanted, str) else wanted
    return any(_is(value, kind) for kind in kinds)


def _is(value: Value, kind: str) -> bool:
    if kind == "integer":  # gojsonschema: 2.0 is one
        return _is(value, "number") and float(value).is_integer()
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    types = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    return isinstance(value, types[kind])


_NAMES = {"object": "a map", "array": "a list", "integer": "a whole number", "null": "empty"}


def _kinds(wanted: str | list[str]) -> str:
    names = [_NAMES.get(k, f"a {k}") for k in ([wanted] if isinstance(wanted, str) else wanted)]
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _described(value: Value) -> str:
    if value is None:
        return "empty"
    if isinstance(value, dict | list):
        return "a map" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        return f"the string {value[:60]!r}"
    kind = "the boolean" if isinstance(value, bool) else "the number"
    return f"{kind} {spelled(value)} (quote it to make it a string)"


def _canonical(value: Value) -> Value:
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


@functools.cache
def _pattern(pattern: str) -> re.Pattern[str]:
    # In Go, as in JSON, $ is the end of the text and not also the place before a last newline.
    return re.compile(pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern)


# Keys that other tools know, and what docker stack has in their place.
_ELSEWHERE = {
    "cpus": "use deploy.resources.limits.cpus",
    "mem_reservation": "use deploy.resources.reservations.memory",
    "pids_limit": "use deploy.resources.limits.pids",
    "scale": "use deploy.replicas",
    "runtime": "set the runtime in the Engine of the nodes",
    "gpus": "use deploy.resources.reservations.generic_resources",
    "content": "docker stack takes a config's content from a file only",
}
# fmt: off
_COMPOSE_ONLY = frozenset((
    "annotations", "attach", "blkio_config", "deploy", "develop", "device_cgroup_rules",
    "group_add", "include", "label_file", "models", "name", "oom_kill_disable", "platform",
    "post_start", "pre_stop", "profiles", "provider", "pull_policy", "storage_opt",
    "use_api_socket", "uts", "required", "path", "condition", "environment",
))
# fmt: on


def _not_allowed(key: str, path: Path, known: Mapping[str, Any]) -> str:
    words = f"docker stack does not know the key {key!r} here"
    if key in _ELSEWHERE:
        return f"{words}; {_ELSEWHERE[key]}"
    if not path and key != "name" and isinstance(key, str):
        return f"{words}; name it x-{key} if it is only an anchor's place"
    near = suggestion(key, known)
    if near and key not in _COMPOSE_ONLY:
        return f"{words}; {near}"
    return f"{words}; only docker compose does" if key in _COMPOSE_ONLY else words


def _map_instead_of_list(path: Path, value: Value) -> str:
    del value
    return "; docker stack knows no conditions" if path[-1:] == ("depends_on",) else ""
