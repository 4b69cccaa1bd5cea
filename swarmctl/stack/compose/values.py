"""From YAML nodes to the values ``docker stack`` reads, the way Go's yaml.v3 makes them.

Duplicate keys, keys that are not strings, merge keys, and the limit on what aliases may blow up.
"""

from __future__ import annotations

from swarmctl.reading.yaml_nodes import (
    MAX_DEPTH,
    ListNode,
    MapNode,
    Node,
    ScalarNode,
    YamlError,
    is_merge,
    merged,
)
from swarmctl.stack.compose.scalars import ScalarError, Value, kind, resolve


class Resolver:
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
            if not is_merge(key):
                name = _key(key, result)
                result[name] = self.any(value, depth + 1)
        merges = [(key, value) for key, value in node.pairs if is_merge(key)]
        for key, _ in merges[1:]:
            raise YamlError('mapping key "<<" already defined', key.start)
        for key, value in merges:
            self._merge(result, key, value, depth)
        return result

    def _merge(self, result: dict[str, Value], key: Node, value: Node, depth: int) -> None:
        maps = list(merged(key, value))
        if len(maps) != (1 if not isinstance(value, ListNode) else len(value.items)):
            words = "map merge requires map or sequence of maps as the value"
            raise YamlError(words, value.start)
        if depth > MAX_DEPTH:
            raise YamlError(f"nested deeper than {MAX_DEPTH} levels", value.start)
        for item in maps:
            self._budget(item)
            for name, brought_in in self.mapping(item, depth + 1).items():
                result.setdefault(name, brought_in)


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
