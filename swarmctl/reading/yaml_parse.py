"""From a YAML (or JSON) text to nodes: the one parser for all files.

libyaml's parser gives the events (Go's yaml.v3 is a port of it, so both refuse the same texts);
unknown and circular aliases are refused here, as Go does.
"""

from __future__ import annotations

import itertools
from typing import Any

import yaml

from swarmctl.reading.yaml_nodes import (
    MAX_DEPTH,
    ListNode,
    MapNode,
    Mark,
    Node,
    ScalarNode,
    YamlError,
)

_TAG = "tag:yaml.org,2002:"
_LOADER: Any = getattr(yaml, "CLoader", yaml.SafeLoader)

_LOADER = getattr(yaml, "CLoader", yaml.SafeLoader)


def compose(text: str, *, only_document: bool = False) -> Node | None:
    """The root of the first document, ``None`` if there is none.

    Args:
        text: the whole file.
        only_document: refuse a second document instead of ignoring it, as ``docker stack`` does.

    Raises:
        YamlError: the text is not YAML, nested too deeply, or has unknown or circular aliases.
    """
    composer = _Composer()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentEndEvent) and not only_document:
                _scan_on(text, event.start_mark)
                break
            composer.take(event)
    except yaml.MarkedYAMLError as fault:
        # What is never closed is at fault where it begins, not at the end of the file.
        unclosed = "end of stream" in (fault.problem or "")
        marks = (fault.problem_mark, fault.context_mark)
        mark = next(filter(None, reversed(marks) if unclosed else marks), None)
        words = ", ".join(filter(None, (fault.context, fault.problem)))
        raise YamlError(words or "not YAML", _mark(mark) if mark else Mark(1, 1, 0)) from fault
    except yaml.YAMLError as fault:  # a control character: it has a position, but no mark
        position = getattr(fault, "position", 0) or 0
        line = text.count("\n", 0, position) + 1
        words = str(getattr(fault, "reason", "") or "not YAML")
        raise YamlError(words, Mark(line, 1, position)) from fault
    return composer.root


def _scan_on(text: str, end: Any) -> None:
    """Scan what yaml.v3 scans when a document ends: the token that ends it and two more."""
    if end.column == 0:
        tokens = yaml.scan("\n" * end.line + text[end.index :], Loader=_LOADER)
        list(itertools.islice(tokens, 4))  # the first one is the start of the stream


def _mark(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1, mark.index)


class _Composer:
    """Builds the tree of nodes out of parser events, without recursion."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[tuple[ListNode | MapNode, str | None, list[Node]]] = []
        self._anchors: dict[str, Node] = {}

    def take(self, event: yaml.Event) -> None:
        """Add what the next event brings."""
        if isinstance(event, yaml.ScalarEvent):
            self._anchor(event.anchor, scalar := _scalar(event))
            self._place(scalar)
        elif isinstance(event, yaml.AliasEvent):
            self._place(self._alias(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            node = ListNode(_mark(event.start_mark), _mark(event.end_mark), _tag(event))
            self._begin(node, event)
        elif isinstance(event, yaml.MappingStartEvent):
            start, end, flow = event.start_mark, event.end_mark, bool(event.flow_style)
            self._begin(MapNode(_mark(start), _mark(end), flow, _tag(event)), event)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._end(event)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise YamlError("a second document begins here", _mark(event.start_mark))

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
    start, end, plain = event.start_mark, event.end_mark, event.style in (None, "")
    return ScalarNode(_mark(start), _mark(end), event.value, plain, _tag(event))


def _tag(event: Any) -> str:
    tag = event.tag or ""
    return "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag
