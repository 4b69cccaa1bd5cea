"""From YAML nodes to plain values, for values of stacks and for experiments.

Scalars are read as PyYAML reads them, except that these are texts: dates, ``8:22`` (to PyYAML a
number to the base of 60), ``.inf`` and ``.nan``, which JSON does not have. Compose files follow Go
instead: ``swarmctl.stack.compose.values``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from yaml import ScalarNode as PyYamlScalar
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

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

# A few aliases of aliases can expand to billions of values.
MAX_VALUES = 100_000

_TAG = "tag:yaml.org,2002:"
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_resolve: Callable[..., str] = Resolver().resolve
_READ = {
    "!!null": SafeConstructor.construct_yaml_null,
    "!!bool": SafeConstructor.construct_yaml_bool,
    "!!int": SafeConstructor.construct_yaml_int,
    "!!float": SafeConstructor.construct_yaml_float,
}
_TEXTS = ("!", "!!str", "!!timestamp", "!!value", "!!merge")


def plain_value(root: Node, *, text_keys: bool = False) -> Any:
    """Dicts, lists, texts, numbers, booleans and ``None``.

    Args:
        root: of the document.
        text_keys: keys are texts as written (``on``, ``1``), as in JSON, and of two equal ones the
            last counts (``Document.duplicates`` finds them); else keys have types, and are unique.

    Raises:
        YamlError: a tag, key or merge is not supported, or aliases expand to too many values.
    """
    return _Values(text_keys).value(root, 0)


class _Values:
    def __init__(self, text_keys: bool) -> None:
        self._text_keys = text_keys
        self._count = 0

    def value(self, node: Node, depth: int) -> Any:
        self._count += 1
        if self._count > MAX_VALUES:
            raise YamlError(f"more than {MAX_VALUES} values, aliases included", node.start)
        if depth > MAX_DEPTH:
            raise YamlError(f"nested deeper than {MAX_DEPTH} levels", node.start)
        if isinstance(node, ScalarNode):
            return _scalar(node)
        if node.tag not in ("", "!", "!!seq" if isinstance(node, ListNode) else "!!map"):
            raise _unknown_tag(node)
        if isinstance(node, ListNode):
            return [self.value(item, depth + 1) for item in node.items]
        return self._mapping(node, depth)

    def _mapping(self, node: MapNode, depth: int) -> dict[Any, Any]:
        """The map's own keys win over merged ones, and of these the first."""
        found: dict[Any, Any] = {}
        for key, value in node.pairs:
            maps = list(merged(key, value))
            expected = len(value.items) if isinstance(value, ListNode) else 1
            if is_merge(key) and len(maps) != expected:
                raise YamlError("<< needs a map or a list of maps", value.start)
            for each in reversed(maps):
                found |= self.value(each, depth + 1)
        own: set[str] = set()
        for key, value in node.pairs:
            if is_merge(key):
                continue
            if not isinstance(key, ScalarNode):
                raise YamlError("a list or a map cannot be a key", key.start)
            if key.raw in own and not self._text_keys:
                raise YamlError(f"the key {key.raw!r} appears twice", key.start)
            own.add(key.raw)
            found[key.raw if self._text_keys else _scalar(key)] = self.value(value, depth + 1)
        return found


def _scalar(node: ScalarNode) -> Any:
    tag = node.tag
    if tag == "" and node.plain:
        tag = _resolve(PyYamlScalar, node.raw, (True, False)).replace(_TAG, "!!")
        if _BASE_60.fullmatch(node.raw):
            return node.raw
    if tag == "" or tag in _TEXTS:
        return node.raw
    if tag not in _READ:
        raise _unknown_tag(node)
    try:
        value = _READ[tag](SafeConstructor(), PyYamlScalar(_TAG + tag[2:], node.raw))
    except (ValueError, KeyError) as fault:  # `!!int many`
        raise YamlError(f"{node.raw!r} is not of type {tag[2:]}", node.start) from fault
    return value if not isinstance(value, float) or math.isfinite(value) else node.raw


def _unknown_tag(node: Node) -> YamlError:
    return YamlError(f"the tag {node.tag} is not supported", node.start)
