"""An experiment file's form: the JSON Schema, and what breaks it in words for a person."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it comes without types

from swarmctl.chaos.faults import FAULTS
from swarmctl.chaos.plan.limits import OVERRIDABLE
from swarmctl.reading.document import Document
from swarmctl.reading.names import nearest
from swarmctl.reading.yaml_nodes import Path

_FILE = "experiment.schema.json"
# Longer values are cut where an error repeats them.
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something in a file that is wrong.

    Args:
        place: where.
        text: what.
        line: if it is not the place's own.
    """

    place: Path
    text: str
    line: int | None = None


def schema() -> dict[str, Any]:
    """The schema, with the faults and guards there are."""
    text = resources.files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    found["$defs"]["fault-name"]["enum"] = list(FAULTS)
    found["$defs"]["guard"]["enum"] = list(OVERRIDABLE)
    return found


def flaws(document: Document[Any]) -> list[Flaw]:
    """Everything that breaks the form, and keys that are there twice."""
    twice = document.duplicates()
    found = [Flaw(place, "this key appears twice", line) for place, line in twice]
    checker = jsonschema.Draft202012Validator(schema())
    for error in checker.iter_errors(document.value):
        found += _explain(error)
    return list(dict.fromkeys(found))


def near(name: str, known: Iterable[str]) -> str:
    """`` (did you mean …)``, or all there are if nothing is like it."""
    names = sorted(known)
    close = nearest(name, names)
    return f" (did you mean {close}?)" if close else f" (there are: {', '.join(names)})"


def _explain(error: Any) -> Iterator[Flaw]:
    place = tuple(error.absolute_path)
    described = error.schema.get("description", "something else")
    match error.validator:
        case "additionalProperties":
            known = error.schema["properties"]
            for key in error.instance.keys() - known.keys():
                yield Flaw((*place, key), f"unknown key{near(key, known)}")
        case "required":
            for key in error.validator_value:
                if key not in error.instance:
                    yield Flaw(place, f"{key} is missing")
        case "oneOf":
            yield from _alternatives(error, place, described)
        case "enum" if "name of a" in described and isinstance(error.instance, str):
            kind = described.rpartition(" ")[2]
            yield Flaw(
                place,
                f"unknown {kind} {error.instance}{near(error.instance, error.validator_value)}",
            )
        case "type" if error.instance is None:
            yield Flaw(place, f"is empty, it must be {described}")
        case _:
            yield Flaw(place, f"must be {described}, not {_shown(error.instance)}")


def _alternatives(error: Any, place: Path, described: str) -> Iterator[Flaw]:
    branches = error.validator_value
    if all(branch.keys() == {"required"} for branch in branches):
        names = [branch["required"][0] for branch in branches]
        if isinstance(error.instance, dict):
            there = [name for name in names if name in error.instance]
            listed = ", ".join(names[:-1]) + f" or {names[-1]}"
            text = f"{' and '.join(there)} exclude each other" if there else f"needs {listed}"
            yield Flaw(place, text)
        return
    # The alternatives differ by type: what is wrong within the one that was meant is said.
    wrong_type = {
        inner.schema_path[0]
        for inner in error.context
        if not inner.path and inner.validator == "type"
    }
    meant = [inner for inner in error.context if inner.schema_path[0] not in wrong_type]
    if meant and (isinstance(error.instance, dict | list) or meant[0].validator == "enum"):
        for inner in meant:
            yield from _explain(inner)
    elif error.instance is None:
        yield Flaw(place, f"is empty, it must be {described}")
    else:
        yield Flaw(place, f"must be {described}, not {_shown(error.instance)}")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
