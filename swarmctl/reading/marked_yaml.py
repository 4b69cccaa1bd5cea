"""YAML (or JSON) read with its line numbers, so that a mistake can be pointed at."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from swarmctl.errors import UsageError

# Where a value is: keys and list indices from the outside in.
Place = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_TYPED = frozenset(_TAG + name for name in ("null", "bool", "int", "float"))
_PLAIN = frozenset(_TAG + name for name in ("str", "timestamp", "value", "merge"))
# Far more than any experiment needs; a few aliases of aliases can mean billions of values.
_MOST_NODES = 5000


class BadFileError(UsageError):
    """A file with mistakes in it.

    Args:
        faults: one line each, ``file:line: key: what is wrong``.
        hint: what to do.
    """

    def __init__(self, faults: Iterable[str], hint: str = "") -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults), hint)


@dataclass(frozen=True)
class Document:
    """A file's content.

    Args:
        label: the file's name, for messages.
        value: plain dicts, lists, texts, numbers, booleans and ``None``; keys are texts, dates too.
        lines: where each value (or its key) begins, from 1.
        texts: how each single value was written.
        twice: keys that are there a second time, with the line of that.
    """

    label: str
    value: Any
    lines: Mapping[Place, int]
    texts: Mapping[Place, str]
    twice: tuple[tuple[Place, int], ...] = ()

    def fault(self, place: Place, text: str, line: int | None = None) -> str:
        """One line for a person: where, and what is wrong there.

        Args:
            place: of the value; of a key that is missing, its mapping's.
            text: what is wrong.
            line: if it is not the value's own.
        """
        return f"{self.label}:{line or self.line(place)}: {written(place)}{text}"

    def line(self, place: Place) -> int:
        """Where it begins, or what it would be in."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def written(place: Place) -> str:
    """``hypothesis.probes[0]: ``; nothing for the whole file."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return f"{text}: " if text else ""


def read(path: Path) -> Document:
    """Read a file.

    Raises:
        UsageError: it cannot be read.
        BadFileError: it is not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as fault:
        raise UsageError(
            f"cannot read {path}: {fault.strerror}", "an example: swarmctl chaos init FILE"
        ) from fault
    except UnicodeDecodeError as fault:
        raise BadFileError([f"{path}:1: not text in UTF-8"]) from fault
    if path.suffix == ".json":
        text = text.replace("\t", " ")  # as indentation YAML forbids them; JSON has no others
    return parse(text, str(path))


def parse(text: str, label: str) -> Document:
    """Read a text.

    Raises:
        BadFileError: it is not YAML.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        reader = _Reader(loader, label)
        value = None if node is None else reader.value(node, ())
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        what = " ".join(filter(None, (fault.context, fault.problem)))
        line = mark.line + 1 if mark else 1
        raise BadFileError([f"{label}:{line}: not valid YAML: {what}"]) from fault
    except yaml.YAMLError as fault:
        raise BadFileError([f"{label}:1: not valid YAML: {fault}".splitlines()[0]]) from fault
    finally:
        loader.dispose()
    return Document(label, value, reader.lines, reader.texts, tuple(reader.twice))


@dataclass
class _Reader:
    """Turns YAML nodes into plain values; PyYAML's own constructor forgets where they were."""

    loader: yaml.SafeLoader
    label: str
    lines: dict[Place, int] = field(default_factory=dict)
    texts: dict[Place, str] = field(default_factory=dict)
    twice: list[tuple[Place, int]] = field(default_factory=list)
    _seen: int = 0
    _checked: set[int] = field(default_factory=set)
    _within: list[yaml.Node] = field(default_factory=list)

    def value(self, node: yaml.Node, place: Place) -> Any:
        self._seen += 1
        if self._seen > _MOST_NODES or any(node is outer for outer in self._within):
            raise yaml.MarkedYAMLError(problem="too much of it", problem_mark=node.start_mark)
        self.lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, place)
        self._within.append(node)
        if isinstance(node, yaml.MappingNode):
            found: Any = self._mapping(node, place)
        else:
            found = [self.value(one, (*place, i)) for i, one in enumerate(node.value)]
        self._within.pop()
        return found

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        self._find_twice(node, place)
        self.loader.flatten_mapping(node)  # `<<: *other`
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="a key must be a word", problem_mark=key.start_mark
                )
            inner = (*place, key.value)
            self.lines[inner] = key.start_mark.line + 1
            found[key.value] = self.value(value, inner)
        return found

    def _find_twice(self, node: yaml.MappingNode, place: Place) -> None:
        if id(node) in self._checked:  # seen through an alias: what it merges is in it by now
            return
        self._checked.add(id(node))
        known: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # refused later
            if key.value in known:
                self.twice.append(((*place, key.value), key.start_mark.line + 1))
            known.add(key.value)

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        self.texts[place] = node.value
        if node.tag not in _TYPED | _PLAIN:
            raise yaml.MarkedYAMLError(
                problem=f"the tag {node.tag} has no meaning here", problem_mark=node.start_mark
            )
        if node.tag in _PLAIN:
            return node.value
        try:
            value = self.loader.construct_object(node)
        except ValueError as fault:  # `!!int many`
            raise yaml.MarkedYAMLError(problem=str(fault), problem_mark=node.start_mark) from fault
        return value if not isinstance(value, float) or math.isfinite(value) else node.value
