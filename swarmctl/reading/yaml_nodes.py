"""The nodes of a YAML text: a tree of scalars, lists and maps with their positions.

Made by ``yaml_parse``; aliases share nodes. A tag is written as in the text (``!!str``, ``!mine``),
``""`` when there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]

# More than any real file needs, and below Python's own limit on recursion.
MAX_DEPTH = 150


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A position in the text: line and column from 1, offset in characters from 0."""

    line: int
    column: int
    offset: int


@dataclass(slots=True, eq=False)
class ScalarNode:
    """A single value as it is written."""

    start: Mark
    end: Mark
    raw: str
    plain: bool
    tag: str


@dataclass(slots=True, eq=False)
class ListNode:
    """A list."""

    start: Mark
    end: Mark
    tag: str = ""
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class MapNode:
    """A map; ``pairs`` hold merge keys and duplicates too, in the order of the text."""

    start: Mark
    end: Mark
    flow: bool
    tag: str = ""
    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    _own: dict[str, tuple[ScalarNode, Node]] | None = None

    def find(self, key: str) -> tuple[ScalarNode, Node] | None:
        """The key and value nodes of a key; a merged one only if the map itself has none."""
        if self._own is None:
            self._own = {
                name.raw: (name, value)
                for name, value in self.pairs
                if isinstance(name, ScalarNode) and not is_merge(name)
            }
        if key in self._own:
            return self._own[key]
        for name, value in self.pairs:
            for brought_in in merged(name, value):
                found = brought_in.find(key)
                if found:
                    return found
        return None


Node: TypeAlias = ScalarNode | ListNode | MapNode


class YamlError(Exception):
    """The text is not YAML or not supported; ``mark`` is where."""

    def __init__(self, message: str, mark: Mark) -> None:
        super().__init__(message)
        self.message = message
        self.mark = mark


def is_merge(node: Node) -> bool:
    """Whether a key is ``<<``, which brings in other maps."""
    return (
        isinstance(node, ScalarNode)
        and node.raw == "<<"
        and ((node.plain and node.tag in ("", "!")) or node.tag == "!!merge")
    )


def merged(key: Node, value: Node) -> Iterator[MapNode]:
    """The maps that a merge key brings in; none for any other key."""
    if not is_merge(key):
        return
    for item in [value] if isinstance(value, MapNode) else getattr(value, "items", ()):
        if isinstance(item, MapNode):
            yield item
