"""A YAML or JSON file: its text, its nodes with their positions, and its value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Generic, TypeVar

from swarmctl.errors import UsageError
from swarmctl.reading.yaml_nodes import (
    ListNode,
    MapNode,
    Mark,
    Node,
    Path,
    ScalarNode,
    YamlError,
    is_merge,
)
from swarmctl.reading.yaml_parse import compose
from swarmctl.reading.yaml_values import plain_value

V = TypeVar("V")

_START = Mark(1, 1, 0)


class BadFileError(UsageError):
    """A file with mistakes in it.

    Args:
        faults: one line each, ``file:line: key: what is wrong``.
        hint: what to do.
    """

    def __init__(self, faults: Iterable[str], hint: str = "") -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults), hint)


@dataclass(frozen=True, slots=True)
class Document(Generic[V]):
    """The first document of a YAML text.

    Args:
        text: the whole file.
        root: an empty scalar when the file is empty.
        value: the nodes' values.
        label: the file's name, for messages.
    """

    text: str
    root: Node
    value: V
    label: str = ""

    def locate(self, path: Sequence[str | int], *, value: bool = False) -> tuple[Mark, Mark]:
        """Start and end of a key, or of the nearest one above if it is missing.

        Args:
            path: keys and list indexes from the root.
            value: locate the value instead of the key. A list's item has no key.
        """
        key, node = [(self.root, self.root), *self._walk(path)][-1]
        found = node if value else key
        return found.start, found.end

    def node(self, path: Sequence[str | int]) -> Node | None:
        """The node of a value, or ``None``."""
        nodes = [self.root, *(node for _, node in self._walk(path))]
        return nodes[-1] if len(nodes) == len(path) + 1 else None

    def _walk(self, path: Sequence[str | int]) -> Iterator[tuple[Node, Node]]:
        """Key and value of each step, as far as there are any."""
        node = self.root
        for step in path:
            pair = _below(node, step)
            if pair is None:
                return
            yield pair
            node = pair[1]

    def line(self, path: Path) -> int:
        """The line (from 1) of a key or an item, or of the nearest one above if it is missing."""
        return self.locate(path)[0].line

    def raw(self, path: Path) -> str:
        """A scalar as it is written, without quotes; ``""`` when there is none."""
        node = self.node(path)
        return node.raw if isinstance(node, ScalarNode) else ""

    def fault(self, path: Path, text: str, line: int | None = None) -> str:
        """An error message: ``file:line: key: what is wrong``.

        Args:
            path: of the value; for a missing key, of its map.
            text: what is wrong.
            line: if it is not the value's own.
        """
        return f"{self.label}:{line or self.line(path)}: {written(path)}{text}"

    def duplicates(self) -> Iterator[tuple[Path, int]]:
        """Keys that a map has twice, with the line of the second one."""
        for path, node in self._nodes():
            keys: set[str] = set()
            for key, _ in node.pairs if isinstance(node, MapNode) else ():
                if isinstance(key, ScalarNode) and key.raw in keys:
                    yield (*path, key.raw), key.start.line
                keys.add(getattr(key, "raw", ""))

    def scalars(self) -> Iterator[tuple[Path, ScalarNode]]:
        """Every scalar value as it is written, with its path; aliases are not followed twice."""
        return ((path, node) for path, node in self._nodes() if isinstance(node, ScalarNode))

    def _nodes(self) -> Iterator[tuple[Path, Node]]:
        seen: set[int] = set()
        stack: list[tuple[Path, Node]] = [((), self.root)]
        while stack:
            path, node = stack.pop()
            if not isinstance(node, ScalarNode):
                if id(node) in seen:
                    continue
                seen.add(id(node))
                stack.extend(reversed(list(_children(path, node))))
            yield path, node


def _below(node: Node, step: str | int) -> tuple[Node, Node] | None:
    """Key and value under a map, or the item of a list twice."""
    if isinstance(node, MapNode):
        return node.find(str(step))
    if isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
        return node.items[step], node.items[step]
    return None


def _children(path: Path, node: ListNode | MapNode) -> Iterator[tuple[Path, Node]]:
    if isinstance(node, ListNode):
        yield from (((*path, index), item) for index, item in enumerate(node.items))
        return
    for key, value in node.pairs:
        if isinstance(key, ScalarNode):
            yield (path if is_merge(key) else (*path, key.raw)), value


def written(path: Path) -> str:
    """``hypothesis.probes[0]: ``; nothing for the whole file."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return f"{text}: " if text else ""


def load(text: str, label: str = "", *, text_keys: bool = False) -> Document[Any]:
    """Read a text that is one YAML document.

    Args:
        text: the whole file.
        label: its name, for messages.
        text_keys: see :func:`swarmctl.reading.yaml_values.plain_value`.

    Raises:
        YamlError: it is not YAML, or more than one document.
    """
    root = compose(text, only_document=True) or ScalarNode(_START, _START, "", True, "")
    return Document(text, root, plain_value(root, text_keys=text_keys), label)


def parse(text: str, label: str, *, text_keys: bool = False) -> Document[Any]:
    """Like :func:`load`, but raises ``BadFileError`` when the text is not YAML."""
    try:
        return load(text, label, text_keys=text_keys)
    except YamlError as fault:
        where = f"{label}:{fault.mark.line}:{fault.mark.column}"
        raise BadFileError([f"{where}: not valid YAML: {fault.message}"]) from fault


def read(path: FilePath, *, hint: str = "", text_keys: bool = False) -> Document[Any]:
    """Read a file.

    Args:
        path: a YAML file, or a JSON file (``*.json``).
        hint: what to do when it cannot be read.
        text_keys: see :func:`parse`.

    Raises:
        UsageError: it cannot be read.
        BadFileError: it is not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as fault:
        raise UsageError(f"cannot read {path}: {fault.strerror}", hint) from fault
    except UnicodeDecodeError as fault:
        raise BadFileError([f"{path}:1: not text in UTF-8"]) from fault
    if path.suffix == ".json":
        text = text.replace("\t", " ")  # YAML forbids tabs as indentation; JSON has no others
    return parse(text, str(path), text_keys=text_keys)
