"""The JSON Schema of experiments, and its errors in plain words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib import resources
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it comes without types

from swarmctl.chaos.faults import FAULTS
from swarmctl.chaos.plan.document.source import Mistake, Source
from swarmctl.chaos.plan.limits import OVERRIDABLE
from swarmctl.reading.names import nearest
from swarmctl.reading.yaml_nodes import Path

_FILE = "experiment.schema.json"
# Longer values are cut in messages.
_SHOWN = 60


def schema() -> dict[str, Any]:
    """The schema, with the names of all faults and guards."""
    text = resources.files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    found["$defs"]["fault-name"]["enum"] = list(FAULTS)
    found["$defs"]["guard"]["enum"] = list(OVERRIDABLE)
    return found


def mistakes(source: Source) -> list[Mistake]:
    """Everything that breaks the schema, and keys that appear twice."""
    checker = jsonschema.Draft202012Validator(schema())
    found = source.duplicates()
    for error in checker.iter_errors(source.value):
        found += _explain(error)
    return list(dict.fromkeys(found))


def _near(name: str, known: Iterable[str]) -> str:
    """`` (did you mean …?)``, or all known names if none is near."""
    names = sorted(known)
    close = nearest(name, names)
    return f" (did you mean {close}?)" if close else f" (known: {', '.join(names)})"


def _explain(error: Any) -> Iterator[Mistake]:
    path = tuple(error.absolute_path)
    known, value = error.validator_value, error.instance
    described = error.schema.get("description", "something else")
    match error.validator:
        case "additionalProperties":
            properties = error.schema["properties"]
            for key in value.keys() - properties.keys():
                yield Mistake((*path, key), f"unknown key{_near(key, properties)}")
        case "required":
            yield from (Mistake(path, f"{key} is missing") for key in known if key not in value)
        case "oneOf":
            yield from _alternatives(error, path, described)
        case "enum" if "name of a" in described and isinstance(value, str):
            kind = described.rpartition(" ")[2]
            yield Mistake(path, f"unknown {kind} {value}{_near(value, known)}")
        case "minimum" | "maximum" as bound:
            side = "below" if bound == "minimum" else "above"
            yield Mistake(path, f"{value} is {side} the {bound} of {known}")
        case _:
            yield _mismatch(path, described, value)


def _mismatch(path: Path, described: str, value: Any) -> Mistake:
    if value is None:
        return Mistake(path, f"is empty; must be {described}")
    return Mistake(path, f"must be {described}, not {_shown(value)}")


def _alternatives(error: Any, path: Path, described: str) -> Iterator[Mistake]:
    branches = error.validator_value
    if all(branch.keys() == {"required"} for branch in branches):
        names = [branch["required"][0] for branch in branches]
        if isinstance(error.instance, dict):
            there = " and ".join(name for name in names if name in error.instance)
            listed = f"{', '.join(names[:-1])} or {names[-1]}"
            text = f"{there} cannot be combined" if there else f"needs {listed}"
            yield Mistake(path, text)
        return
    # The alternatives differ by type; report only the mistakes of the one that the user chose.
    wrong_type = {
        inner.schema_path[0]
        for inner in error.context
        if not inner.path and inner.validator == "type"
    }
    chosen = [inner for inner in error.context if inner.schema_path[0] not in wrong_type]
    if chosen and (isinstance(error.instance, dict | list) or chosen[0].validator == "enum"):
        for inner in chosen:
            yield from _explain(inner)
    else:
        yield _mismatch(path, described, error.instance)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
