"""What is said of a value or a key that the compose language does not allow."""

from __future__ import annotations

from collections.abc import Sequence

from swarmctl.reading.names import suggestion
from swarmctl.reading.yaml_nodes import Path
from swarmctl.stack.compose.rules import Type
from swarmctl.stack.compose.scalars import Value, spelled

# Keys that other tools know, and what docker stack has in their place.
_INSTEAD = {
    "cpus": "use deploy.resources.limits.cpus",
    "mem_reservation": "use deploy.resources.reservations.memory",
    "pids_limit": "use deploy.resources.limits.pids",
    "scale": "use deploy.replicas",
    "runtime": "set the runtime in the Engine of the nodes",
    "gpus": "use deploy.resources.reservations.generic_resources",
    "content": "docker stack takes a config's content from a file only",
}
# fmt: off
_COMPOSE_ONLY = frozenset((
    "annotations", "attach", "blkio_config", "deploy", "develop", "device_cgroup_rules",
    "group_add", "include", "label_file", "models", "name", "oom_kill_disable", "platform",
    "post_start", "pre_stop", "profiles", "provider", "pull_policy", "storage_opt",
    "use_api_socket", "uts", "required", "path", "condition", "environment",
))
# fmt: on


def either(words: Sequence[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def wrong_type(allowed: Sequence[Type], value: Value, path: Path, newer: int | None) -> str:
    """What is said of a value of a type that is not allowed.

    Args:
        allowed: the types that may stand here.
        value: what stands here.
        path: where.
        newer: the version that allows this type here, if one does.
    """
    words = f"must be {either(allowed)}, not {_described(value)}"
    if newer is not None:
        words += f"; that needs {newer_version(newer)}"
    if path[-1:] == ("depends_on",) and isinstance(value, dict):
        words += "; docker stack knows no conditions"
    return words


def wrong_name(name: str) -> str:
    """What is said of a name with characters that it must not have."""
    if not name.strip():
        return "the name is empty"
    return f"the name {name!r} may only have letters, digits, '.', '_' and '-'"


def newer_key(key: str, since: int) -> str:
    """What is said of a key that an older version does not know."""
    return f"the key {key!r} needs {newer_version(since)}"


def unknown_key(key: str, path: Path, known: Sequence[str]) -> str:
    """What is said of a key that no version knows.

    Args:
        key: the key.
        path: of the map it is in.
        known: the keys that this map may have.
    """
    words = f"docker stack does not know the key {key!r} here"
    if key in _INSTEAD:
        return f"{words}; {_INSTEAD[key]}"
    if key in _COMPOSE_ONLY and (path or key == "name"):
        return f"{words}; only docker compose does"
    if not path:
        return f"{words}; to hold an anchor, call it x-{key}"
    near = suggestion(key, known)
    return f"{words}; {near}" if near else words


def newer_version(minor: int) -> str:
    """The version that is needed, and how to get it."""
    return f"version 3.{minor} or newer: remove the line `version`"


def _described(value: Value) -> str:
    if isinstance(value, str):
        return f"the string {value[:60]!r}"
    if value is None or isinstance(value, dict | list):
        return next(kind for kind in (Type.EMPTY, Type.MAP, Type.LIST) if kind.holds(value))
    kind = "boolean" if isinstance(value, bool) else "number"
    return f"the {kind} {spelled(value)} (quote it to make it a string)"
