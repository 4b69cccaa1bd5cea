"""Consul's key/value store from Swarm configs, read-only. Pure.

A config is an entry if its name begins with the prefix of ``--kv-prefix``. Its key is the label
``swarmctl.kv.key``, or the name without the prefix (a config's name cannot hold a slash).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from swarmctl.discovery.edition import KeyValue

KEY_LABEL = "swarmctl.kv.key"


def entries(configs: Iterable[Mapping[str, Any]], prefix: str) -> tuple[KeyValue, ...]:
    """The entries among the configs, sorted by key; of several with one key, the newest.

    Args:
        configs: as ``GET /configs`` lists them.
        prefix: of their names; ``""`` for none of them.
    """
    found: dict[str, KeyValue] = {}
    for config in configs if prefix else ():
        spec = config["Spec"]
        if not spec["Name"].startswith(prefix):
            continue
        key = (spec.get("Labels") or {}).get(KEY_LABEL) or spec["Name"].removeprefix(prefix)
        entry = KeyValue(key.strip("/"), spec.get("Data") or "", config["Version"]["Index"])
        if key and (key not in found or found[key].version < entry.version):
            found[key] = entry
    return tuple(sorted(found.values(), key=lambda entry: entry.key))


def answer(
    entries: Sequence[KeyValue], key: str, query: Mapping[str, Sequence[str]]
) -> list[Any] | bytes | None:
    """What ``GET /v1/kv/KEY`` answers; ``None`` if there is nothing.

    Args:
        entries: the store.
        key: or, with ``recurse`` or ``keys``, the prefix of keys.
        query: ``raw``, ``recurse``, or ``keys`` with ``separator``.
    """
    if "keys" in query:
        separator = next(iter(query.get("separator", ())), "")
        return _keys([e.key for e in entries if e.key.startswith(key)], key, separator) or None
    if "recurse" in query:
        return [_body(entry) for entry in entries if entry.key.startswith(key)] or None
    entry = next((entry for entry in entries if entry.key == key), None)
    if entry is None:
        return None
    return base64.b64decode(entry.value) if "raw" in query else [_body(entry)]


def _keys(keys: Iterable[str], prefix: str, separator: str) -> list[str]:
    """The keys, each cut behind the first separator after the prefix."""
    if not separator:
        return list(keys)
    ends = ((key, key.find(separator, len(prefix))) for key in keys)
    return list(dict.fromkeys(key if end < 0 else key[: end + len(separator)] for key, end in ends))


def _body(entry: KeyValue) -> dict[str, Any]:
    return {
        "LockIndex": 0,
        "Key": entry.key,
        "Flags": 0,
        "Value": entry.value or None,
        "CreateIndex": entry.version,
        "ModifyIndex": entry.version,
    }
