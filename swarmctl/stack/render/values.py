"""The values of a stack: YAML files and ``--set`` options, layered.

Later layers win: the stack's ``values.yml`` < each ``--values`` file < each ``--set``. Maps are
merged key by key; lists and scalars are replaced whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from swarmctl.errors import UsageError
from swarmctl.reading import document as documents
from swarmctl.reading.names import nearest
from swarmctl.reading.yaml_nodes import YamlError

_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def load_values(path: Path) -> dict[str, Any]:
    """Read a values file.

    Raises:
        UsageError: it cannot be read, or is not a YAML map; the message has file:line.
    """
    data = documents.read(path).value
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise UsageError(
            f"{path}: values must be a map of names to values",
            "write `name: value` lines, as in the stack's own values.yml",
        )
    return data


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` merged into a copy of ``base``."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both_maps = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(below, value) if both_maps else value  # type: ignore[arg-type]
    return merged


def parse_set(options: Iterable[str]) -> dict[str, Any]:
    """Turn ``--set a.b=v`` options into ``{"a.b": v}``; ``v`` is read as YAML.

    Raises:
        UsageError: an option has no ``=``, an invalid name, or a value that is not YAML.
    """
    parsed: dict[str, Any] = {}
    for option in options:
        name, equals, text = option.partition("=")
        if not equals or not _PATH.fullmatch(name.strip()):
            raise UsageError(
                f"cannot read --set {option!r}", "write name=value, e.g. --set web.replicas=3"
            )
        try:
            parsed[name.strip()] = documents.load(text).value
        except YamlError as fault:
            raise UsageError(
                f"cannot read --set {option!r}: the value is not YAML: {fault.message}",
                f"""quote it twice, e.g. --set '{name}="a: b"'""",
            ) from fault
    return parsed


def put(values: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of ``values`` with the value at the dotted ``path`` set; missing maps are created.

    Raises:
        UsageError: a part of the path is a scalar or a list.
    """
    head, _, rest = path.partition(".")
    if not rest:
        return {**values, head: value}
    below = values.get(head)
    if below is not None and not isinstance(below, Mapping):
        raise UsageError(f"cannot set {path}: {head} is {below!r}, not a map")
    return {**values, head: put(below or {}, rest, value)}


def layered(
    stack: Path, files: Sequence[Path] = (), overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """All values of a stack, merged layer by layer.

    Args:
        stack: the stack's folder; its ``values.yml`` may be missing.
        files: further values files; later ones win.
        overrides: dotted name → value, see :func:`parse_set`; they win over all files.

    Raises:
        UsageError: a file cannot be read, or is not a map of values.
    """
    own = stack / "values.yml"
    values = load_values(own) if own.exists() else {}
    for path in files:
        values = merge(values, load_values(path))
    for name, value in (overrides or {}).items():
        values = put(values, name, value)
    return values


def names(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """All dotted names of the values, those of maps included."""
    found: list[str] = []
    for key, value in values.items():
        found.append(f"{prefix}{key}")
        if isinstance(value, Mapping):
            found += names(value, f"{prefix}{key}.")
    return found


def unknown_overrides(
    stack: Path, files: Sequence[Path], overrides: Mapping[str, Any]
) -> list[str]:
    """A remark about each ``--set`` name that no values file has: it is probably misspelt.

    Not below ``images``, which every stack may have: what is wrong there is an error.
    """
    known = names(layered(stack, files))
    return [
        f"--set {name}: values.yml has no such value"
        + (f"; did you mean {near}?" if (near := nearest(name, known)) else "")
        for name in overrides
        if name not in known and not name.startswith("images.")
    ]
