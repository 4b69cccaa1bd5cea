"""Compare two specs of a service.

The Engine returns a spec with its defaults filled in and names turned into ids. So the spec to send
and the current one are first normalised: no empty values, no defaults; networks, secrets and
configs by name. The rest is compared path by path.
https://docs.docker.com/reference/api/engine/ (ServiceSpec)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from swarmctl.reading.secrets import MASK, looks_secret, without_passwords
from swarmctl.registry.renewed import LABELS
from swarmctl.swarm.engine import Json

IMAGE_LABEL = "com.docker.stack.image"
_FREE_TEXT = re.compile(r"\.(Env|Options|Labels)\.(?P<name>.+)|^Labels\.(?P<label>.+)")
_OBVIOUS = re.compile(r"^TaskTemplate\.(ContainerSpec\.)?")
# Of a digest, as many digits are shown as a person can compare.
_DIGEST = re.compile(r"(@sha256:[0-9a-f]{12})[0-9a-f]{52}")

# Defaults that the Engine fills in (moby daemon/cluster/convert/service.go, swarmkit api/defaults)
_DEFAULTS: Mapping[str, Any] = {
    "EndpointSpec.Mode": "vip",
    "EndpointSpec.Ports.Protocol": "tcp",
    "EndpointSpec.Ports.PublishMode": "ingress",
    "RollbackConfig.FailureAction": "pause",
    "RollbackConfig.Monitor": 5_000_000_000,
    "RollbackConfig.Order": "stop-first",
    "RollbackConfig.Parallelism": 1,
    "TaskTemplate.ContainerSpec.Isolation": "default",
    "TaskTemplate.RestartPolicy.Condition": "any",
    "TaskTemplate.RestartPolicy.Delay": 5_000_000_000,
    "TaskTemplate.Runtime": "container",
    "UpdateConfig.FailureAction": "pause",
    "UpdateConfig.Monitor": 5_000_000_000,
    "UpdateConfig.Order": "stop-first",
    "UpdateConfig.Parallelism": 1,
}

# Paths where zero or false differs from unset.
_ZERO_COUNTS = {
    "RollbackConfig.Parallelism",
    "TaskTemplate.ContainerSpec.Init",
    "TaskTemplate.RestartPolicy.Delay",
    "UpdateConfig.Parallelism",
}

# Derived values: platforms and the label come from the image, ids from names; and the labels that
# tell when credentials were last sent.
_DERIVED = {
    f"Labels.{IMAGE_LABEL}",
    *(f"Labels.{label}" for label in LABELS),
    "TaskTemplate.Placement.Platforms",
    "TaskTemplate.ContainerSpec.Secrets.SecretID",
    "TaskTemplate.ContainerSpec.Configs.ConfigID",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that differs; ``None`` where it is unset."""

    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        """One line, with secrets masked."""
        free = _FREE_TEXT.search(self.path)
        hidden = free is not None and looks_secret(free["name"] or free["label"])
        old, new = (MASK if hidden and v is not None else _shown(v) for v in (self.old, self.new))
        name = _OBVIOUS.sub("", self.path)
        if self.old is None:
            return f"{name}: {new}"
        if self.new is None:
            return f"{name}: {old} → (none)"
        return f"{name}: {old} → {new}"


def hashed_name_hint(name: str) -> str:
    """How to give a config or secret a new name for each content."""
    expression = f"{{{{ file('…') | hashed('{name}') }}}}"
    return f"put a hash of the content into its name: name: {expression}"


def normal(spec: Mapping[str, Any], network_names: Mapping[str, str] | None = None) -> Json:
    """A service's spec, normalised for comparison.

    Args:
        spec: as sent to or returned by the API.
        network_names: id → name.
    """
    plain = dict(spec)
    plain["Mode"] = _mode(spec.get("Mode") or {})
    normalised = _pruned(plain, "", network_names or {})
    assert isinstance(normalised, dict)
    return normalised


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Difference, ...]:
    """The differences of two normalised specs, in the order of their paths."""
    before, after = dict(_flat(old, "")), dict(_flat(new, ""))
    return tuple(
        Difference(path, before.get(path), after.get(path))
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    )


def _mode(mode: Mapping[str, Any]) -> Json:
    kind = next(iter(mode), "Replicated")
    settings = mode.get(kind) or {}
    if kind == "Replicated":
        replicas = settings.get("Replicas")
        return {"Kind": kind, "Replicas": str(1 if replicas is None else replicas)}
    return {"Kind": kind, **{key: str(value) for key, value in settings.items()}}


def _pruned(value: Any, path: str, networks: Mapping[str, str]) -> Any:
    if path in _DERIVED:
        return None
    if isinstance(value, Mapping):
        below = {
            key: _pruned(entry, f"{path}.{key}" if path else key, networks)
            for key, entry in value.items()
        }
        return {key: entry for key, entry in below.items() if entry is not None} or None
    if isinstance(value, list):
        return [_pruned(entry, path, networks) for entry in value] or None
    if path == "TaskTemplate.Networks.Target":
        return networks.get(value, value)
    if value == _DEFAULTS.get(path):
        return None
    if value or (path in _ZERO_COUNTS and value is not None):
        return value
    return None


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _flat(below, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        yield from _listed(value, path)
    else:
        yield path, value


def _listed(entries: list[Any], path: str) -> Iterator[tuple[str, Any]]:
    """A list's entries by names that do not change when another entry is added before them."""
    if path.endswith(".Env"):
        for entry in entries:
            name, equals, text = str(entry).partition("=")
            yield f"{path}.{name}", text if equals else ""
        return
    if not all(isinstance(entry, Mapping) for entry in entries):
        yield path, [entry for entry in entries if entry is not None]
        return
    seen: Counter[str] = Counter()
    for entry in entries:
        name = _identity(entry)
        seen[name] += 1
        number = f"#{seen[name]}" if seen[name] > 1 else ""
        yield from _flat(entry, f"{path}[{name}{number}]")


def _identity(entry: Mapping[str, Any]) -> str:
    """A readable name for an entry of a list: a mount's target, a port's number …"""
    file = entry.get("File") or {}
    for name in (file.get("Name"), entry.get("Target"), entry.get("Name")):
        if name:
            return str(name)
    if "TargetPort" in entry:
        return f"{entry['TargetPort']}/{entry.get('Protocol', 'tcp')}"
    return ",".join(f"{key}={value}" for key, value in sorted(entry.items()))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        # A command line may have a secret in it, as in --password=…
        return " ".join(MASK if looks_secret(str(word)) else _shown(word) for word in value)
    return _DIGEST.sub(r"\1", without_passwords(str(value)))
