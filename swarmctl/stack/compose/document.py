"""A YAML file as ``docker stack`` reads it: its text, its nodes with their places, its values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
from swarmctl.stack.compose.scalars import Value
from swarmctl.stack.compose.values import Resolver

MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Document:
    """The first document of a YAML text."""

    text: str
    root: MapNode
    value: dict[str, Value]

    def locate(self, path: Sequence[str | int], *, value: bool = False) -> tuple[Mark, Mark]:
        """Start and end of a key (or of its value); of the nearest thing above if there is none.

        Args:
            path: keys and list indexes from the root.
            value: the value instead of the key. A list's item is always its value.
        """
        node: Node = self.root
        found: Node = self.root
        for step in path:
            if isinstance(node, MapNode):
                pair = node.find(str(step))
                if pair is None:
                    break
                found, node = (pair[1] if value else pair[0]), pair[1]
            elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
                node = node.items[step]
                found = node
            else:
                break
        return found.start, found.end

    def node(self, path: Sequence[str | int]) -> Node | None:
        """The node of a value, or ``None``."""
        node: Node = self.root
        for step in path:
            below: Node | None = None
            if isinstance(node, MapNode):
                pair = node.find(str(step))
                below = pair[1] if pair else None
            elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
                below = node.items[step]
            if below is None:
                return None
            node = below
        return node

    def scalars(self) -> Iterator[tuple[Path, ScalarNode]]:
        """Every scalar value as it is written, with its path; aliases are not followed twice."""
        seen: set[int] = set()
        stack: list[tuple[Path, Node]] = [((), self.root)]
        while stack:
            path, node = stack.pop()
            if isinstance(node, ScalarNode):
                yield path, node
                continue
            if id(node) in seen:
                continue
            seen.add(id(node))
            stack.extend(reversed(list(_children(path, node))))


def _children(path: Path, node: ListNode | MapNode) -> Iterator[tuple[Path, Node]]:
    if isinstance(node, ListNode):
        yield from (((*path, index), item) for index, item in enumerate(node.items))
        return
    for key, value in node.pairs:
        if isinstance(key, ScalarNode):
            yield (path if is_merge(key) else (*path, key.raw)), value


def load(data: bytes) -> Document:
    """Read the first document of a YAML file.

    Args:
        data: the file's bytes: UTF-8, or UTF-16 with a byte order mark.

    Raises:
        YamlError: it is not text, not YAML, not a map, or has what Go's yaml.v3 refuses.
    """
    if len(data) > MAX_BYTES:
        raise YamlError(f"larger than {MAX_BYTES // 2**20} MiB", Mark(1, 1, 0))
    text = decode(data)
    root = compose(text)
    if not isinstance(root, MapNode):
        raise YamlError("top-level object must be a mapping", root.start if root else Mark(1, 1, 0))
    return Document(text=text, root=root, value=Resolver().mapping(root, 0))


_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


def encoding(data: bytes) -> tuple[bytes, str]:
    """The byte order mark of a file, if any, and the encoding it stands for."""
    return next(((bom, name) for bom, name in _BOMS if data.startswith(bom)), (b"", "utf-8"))


def decode(data: bytes) -> str:
    """The text of a YAML file, without its byte order mark.

    Raises:
        YamlError: the bytes are not text.
    """
    bom, name = encoding(data)
    body = data[len(bom) :]
    try:
        return body.decode(name)
    except UnicodeDecodeError as fault:
        good = body[: fault.start].decode(name, "replace")
        line = good.count("\n") + 1
        column = len(good) - (good.rfind("\n") + 1) + 1
        raise YamlError(f"not {name.upper()} text", Mark(line, column, len(good))) from fault
