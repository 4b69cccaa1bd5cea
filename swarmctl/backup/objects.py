"""The objects of a Swarm with digests of their specifications, and how two lists differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from swarmctl.backup.manifest import Object
from swarmctl.discovery.leaving import DRAINING_LABEL
from swarmctl.moves.earlier import EARLIER_LABEL

# swarmctl's own marks come and go: locks, and the record of the last backup.
_OWN = ("swarmctl-lock-", "swarmctl-chaos-lock", "swarmctl-backup")
_OF_A_DRAIN = (DRAINING_LABEL, EARLIER_LABEL)
# Of a network: what Swarm decides; the rest depends on the Engine that is asked.
_NETWORK = ("Driver", "Scope", "Attachable", "Ingress", "Internal", "EnableIPv6", "Labels")


class Asked(Protocol):
    """The part of the Engine API that is needed."""

    def get(self, path: str, **filters: list[str]) -> Any: ...


def objects_of(engine: Asked) -> tuple[Object, ...]:
    """Everything in a Swarm, in a stable order.

    Raises:
        SwarmctlError: no manager answers.
    """
    found = [_swarm(engine.get("/swarm"))]
    for kind in ("service", "secret", "config"):
        found += [
            _object(kind, entry, entry["Spec"]["Name"], entry["Spec"])
            for entry in engine.get(f"/{kind}s") or []
            if not entry["Spec"]["Name"].startswith(_OWN)
        ]
    found += [
        Object("network", entry["Id"], entry["Name"], digest(_network(entry)))
        for entry in engine.get("/networks", scope=["swarm"]) or []
    ]
    found += [
        _object("node", entry, entry["Description"].get("Hostname", ""), _node(entry["Spec"]))
        for entry in engine.get("/nodes") or []
    ]
    return tuple(sorted(found, key=lambda each: (each.kind, each.name, each.id)))


def digest(spec: Any) -> str:
    """SHA-256 of a specification, whatever the order of its keys."""
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(wanted: Iterable[Object], found: Iterable[Object]) -> tuple[str, ...]:
    """How the restored objects differ from the recorded ones, a sentence each.

    Args:
        wanted: of the manifest.
        found: of the restored Swarm.
    """
    return tuple(_differences({o.id: o for o in wanted}, {o.id: o for o in found}))


def _differences(wanted: Mapping[str, Object], found: Mapping[str, Object]) -> Iterator[str]:
    for id_, one in wanted.items():
        if id_ not in found:
            yield f"{one.kind} {one.name} ({id_}) is missing"
        elif found[id_] != one:
            name = f", now called {found[id_].name}" if found[id_].name != one.name else ""
            yield f"{one.kind} {one.name} ({id_}) has another specification{name}"
    for id_, one in found.items():
        if id_ not in wanted:
            yield f"{one.kind} {one.name} ({id_}) is not in the manifest"


def _object(kind: str, entry: Mapping[str, Any], name: str, spec: Any) -> Object:
    return Object(kind, entry["ID"], name, digest(spec))


def _swarm(entry: Mapping[str, Any]) -> Object:
    kept = {key: entry.get(key) for key in ("Spec", "DefaultAddrPool", "SubnetSize")}
    return Object("swarm", entry["ID"], entry["Spec"]["Name"], digest(kept))


def _network(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: entry.get(key) or None for key in _NETWORK} | {
        "IPAM": (entry.get("IPAM") or {}).get("Config"),
        "Options": entry.get("Options") or None,
    }


def _node(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Labels and role; the availability changes while a backup is taken."""
    labels = {k: v for k, v in (spec.get("Labels") or {}).items() if k not in _OF_A_DRAIN}
    return {"Role": spec.get("Role"), "Labels": labels or None}
