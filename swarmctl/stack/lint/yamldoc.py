"""A YAML file as nodes that know where they stand, and as the values ``docker stack`` reads.

libyaml's parser gives the events (yaml.v3 of Go is a port of it, so both refuse the same texts);
what Go adds is done here: duplicate keys, keys that are not strings, unknown or circular aliases,
merge keys, and the limit on what aliases may blow up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from swarmctl.stack.lint.scalars import ScalarError, Value, kind, resolve

Path: TypeAlias = tuple[str | int, ...]

MAX_BYTES = 16 * 1024 * 1024
# Far beyond any compose file, and well inside Python's own limit on recursion.
MAX_DEPTH = 150

_MERGE = "<<"
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in the text: line and column from 1, offset in characters from 0."""

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
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class MapNode:
    """A map; ``pairs`` hold merge keys and duplicates too, in the order of the text."""

    start: Mark
    end: Mark
    flow: bool
    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    _own: dict[str, tuple[Node, Node]] | None = None

    def find(self, key: str) -> tuple[Node, Node] | None:
        """The key and value nodes of a key; a merged one only if the map itself has none."""
        if self._own is None:
            self._own = {
                name.raw: (name, value)
                for name, value in self.pairs
                if isinstance(name, ScalarNode) and not _is_merge(name)
            }
        if key in self._own:
            return self._own[key]
        for name, value in self.pairs:
            for merged in _merged(name, value):
                found = merged.find(key)
                if found:
                    return found
        return None


Node: TypeAlias = ScalarNode | ListNode | MapNode


class YamlError(Exception):
    """The text is not YAML as ``docker stack`` reads it."""

    def __init__(self, message: str, mark: Mark) -> None:
        super().__init__(message)
        self.message = message
        self.mark = mark


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
            yield (path if _is_merge(key) else (*path, key.raw)), value


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
    root = _compose(text)
    if not isinstance(root, MapNode):
        raise YamlError("top-level object must be a mapping", root.start if root else Mark(1, 1, 0))
    return Document(text=text, root=root, value=_Resolver().mapping(root, 0))


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


# --- from events to nodes -------------------------------------------------------------------------


def _loader() -> Any:
    return getattr(yaml, "CLoader", yaml.SafeLoader)


def _compose(text: str) -> Node | None:
    composer = _Composer()
    try:
        for event in yaml.parse(text, Loader=_loader()):
            if isinstance(event, yaml.DocumentEndEvent):
                break
            composer.take(event)
    except yaml.MarkedYAMLError as fault:
        # What is never closed is at fault where it begins, not at the end of the file.
        unclosed = "end of stream" in (fault.problem or "")
        marks = (fault.problem_mark, fault.context_mark)
        mark = next(filter(None, reversed(marks) if unclosed else marks), None)
        words = " ".join(filter(None, (fault.context, fault.problem)))
        raise YamlError(words or "not YAML", _mark(mark) if mark else Mark(1, 1, 0)) from fault
    except yaml.YAMLError as fault:  # a control character: it has a position, but no mark
        position = getattr(fault, "position", 0) or 0
        line = text.count("\n", 0, position) + 1
        raise YamlError(_reader_words(fault), Mark(line, 1, position)) from fault
    return composer.root


def _reader_words(fault: yaml.YAMLError) -> str:
    return str(getattr(fault, "reason", "") or "not YAML")


def _mark(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1, mark.index)


class _Composer:
    """Builds the tree of nodes out of parser events, without recursion."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[tuple[ListNode | MapNode, str | None, list[Node]]] = []
        self._anchors: dict[str, Node] = {}

    def take(self, event: yaml.Event) -> None:
        """Add what the next event says."""
        if isinstance(event, yaml.ScalarEvent):
            self._anchor(event.anchor, scalar := _scalar(event))
            self._place(scalar)
        elif isinstance(event, yaml.AliasEvent):
            self._place(self._alias(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            self._begin(ListNode(_mark(event.start_mark), _mark(event.end_mark)), event)
        elif isinstance(event, yaml.MappingStartEvent):
            flow = bool(event.flow_style)
            self._begin(MapNode(_mark(event.start_mark), _mark(event.end_mark), flow), event)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._end(event)

    def _begin(self, node: ListNode | MapNode, event: yaml.Event) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise YamlError(f"nested deeper than {MAX_DEPTH} levels", node.start)
        anchor = getattr(event, "anchor", None)
        self._anchor(anchor, node)
        self._open.append((node, anchor, []))

    def _end(self, event: yaml.Event) -> None:
        node, _, children = self._open.pop()
        node.end = _mark(event.end_mark)
        if isinstance(node, ListNode):
            node.items.extend(children)
        else:
            node.pairs.extend(zip(children[::2], children[1::2], strict=True))
        self._place(node)

    def _anchor(self, anchor: str | None, node: Node) -> None:
        if anchor:
            self._anchors[anchor] = node

    def _alias(self, event: yaml.AliasEvent) -> Node:
        name, start = event.anchor or "", _mark(event.start_mark)
        target = self._anchors.get(name)
        if target is None:
            raise YamlError(f"unknown anchor {name!r} referenced", start)
        if any(target is node for node, _, _ in self._open):
            raise YamlError(f"anchor {name!r} value contains itself", start)
        return target

    def _place(self, node: Node) -> None:
        if self._open:
            self._open[-1][2].append(node)
        else:
            self.root = node


def _scalar(event: yaml.ScalarEvent) -> ScalarNode:
    tag = event.tag or ""
    if tag.startswith(_TAG):
        tag = "!!" + tag.removeprefix(_TAG)
    plain = event.style in (None, "")
    return ScalarNode(_mark(event.start_mark), _mark(event.end_mark), event.value, plain, tag)


# --- from nodes to values -------------------------------------------------------------------------


def _is_merge(node: Node) -> bool:
    return (
        isinstance(node, ScalarNode)
        and node.raw == _MERGE
        and ((node.plain and node.tag in ("", "!")) or node.tag == "!!merge")
    )


def _merged(key: Node, value: Node) -> Iterator[MapNode]:
    """The maps that a merge key brings in; none for any other key."""
    if not _is_merge(key):
        return
    for item in [value] if isinstance(value, MapNode) else getattr(value, "items", ()):
        if isinstance(item, MapNode):
            yield item


class _Resolver:
    """Turns nodes into values the way yaml.v3 does."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._count = 0
        self._repeated = 0

    def _budget(self, node: Node) -> None:
        """Stop what aliases blow up ("document contains excessive aliasing")."""
        self._count += 1
        if id(node) in self._seen:
            self._repeated += 1
        self._seen.add(id(node))
        share = self._repeated / self._count
        excessive = share > _allowed_share(self._count)
        if self._repeated > 100 and self._count > 1000 and excessive:
            raise YamlError("document contains excessive aliasing", node.start)

    def any(self, node: Node, depth: int) -> Value:
        """The value of any node."""
        self._budget(node)
        if depth > MAX_DEPTH:
            raise YamlError(f"nested deeper than {MAX_DEPTH} levels", node.start)
        if isinstance(node, ScalarNode):
            return _value(node)
        if isinstance(node, ListNode):
            return [self.any(item, depth + 1) for item in node.items]
        return self.mapping(node, depth)

    def mapping(self, node: MapNode, depth: int) -> dict[str, Value]:
        """A map with its merges; its own keys win, then those merged first."""
        result: dict[str, Value] = {}
        for key, value in node.pairs:
            if not _is_merge(key):
                name = _key(key, result)
                result[name] = self.any(value, depth + 1)
        merges = [(key, value) for key, value in node.pairs if _is_merge(key)]
        for key, _ in merges[1:]:
            raise YamlError('mapping key "<<" already defined', key.start)
        for key, value in merges:
            self._merge(result, key, value, depth)
        return result

    def _merge(self, result: dict[str, Value], key: Node, value: Node, depth: int) -> None:
        maps = list(_merged(key, value))
        if len(maps) != (1 if not isinstance(value, ListNode) else len(value.items)):
            words = "map merge requires map or sequence of maps as the value"
            raise YamlError(words, value.start)
        if depth > MAX_DEPTH:
            raise YamlError(f"nested deeper than {MAX_DEPTH} levels", value.start)
        for item in maps:
            self._budget(item)
            for name, merged in self.mapping(item, depth + 1).items():
                result.setdefault(name, merged)


def _allowed_share(count: int) -> float:
    """yaml.v3, decode.go: from 99 % repeated nodes in small files down to 10 % in huge ones."""
    low, high = 400_000, 4_000_000
    if count <= low:
        return 0.99
    return 0.10 if count >= high else 0.99 - 0.89 * (count - low) / (high - low)


def _value(node: ScalarNode) -> Value:
    try:
        return resolve(node.raw, node.plain, node.tag)
    except ScalarError as fault:
        raise YamlError(str(fault), node.start) from fault


def _key(node: Node, known: dict[str, Value]) -> str:
    if not isinstance(node, ScalarNode):
        words = "a map or list cannot be a key"
        if isinstance(node, MapNode) and node.flow:
            words += "; quote a template such as '{{ .Node.Hostname }}'"
        raise YamlError(words, node.start)
    name = _value(node)
    if type(name) is not str:
        raise YamlError(
            f"the key {node.raw!r} is not a string ({kind(name)}): quote it", node.start
        )
    if name in known:
        raise YamlError(f"mapping key {name!r} already defined", node.start)
    return name
