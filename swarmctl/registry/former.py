"""Keeps the version of a service that ``docker service rollback`` would go back to.

Swarm remembers one former spec, and every update puts the current one in its place, also an update
that only renews credentials (swarmkit manager/controlapi/service.go, UpdateService). There is no
request that leaves it as it is. So a refresh first copies the former spec into a config, from which
``swarmctl stack rollback`` takes it. It is named after its content: who deletes an outdated one
never deletes a newer one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from swarmctl.registry import renewed
from swarmctl.swarm.engine import Engine, EngineError, Json
from swarmctl.swarm.model import STACK_LABEL

LABEL = "swarmctl.former"  # its value is the service's id
_CONFLICT = 409


def digest(spec: Mapping[str, Any]) -> str:
    """Tells versions of a service apart: 12 hex digits.

    Unset values and the labels of a refresh do not count: managers of several versions of the
    Engine leave out different ones.
    """
    text = json.dumps(_without_empty(renewed.without(spec)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def to_keep(service: Json) -> Json | None:
    """The config that must exist before the service is updated; ``None`` if none is needed.

    Args:
        service: as the Engine gives it.
    """
    previous, current = service.get("PreviousSpec"), digest(service["Spec"])
    if not previous or digest(previous) == current:
        return None
    labels = {LABEL: service["ID"]}
    if stack := (service["Spec"].get("Labels") or {}).get(STACK_LABEL):
        labels[STACK_LABEL] = stack  # it is removed with the stack
    data = json.dumps({"current": current, "spec": previous}, sort_keys=True).encode()
    name = f"swarmctl-former-{service['ID'][:25]}-{hashlib.sha256(data).hexdigest()[:12]}"
    return {"Name": name, "Labels": labels, "Data": base64.b64encode(data).decode()}


def keep(engine: Engine, config: Json) -> None:
    """Create such a config, unless it exists."""
    try:
        engine.send("POST", "/configs/create", config)
    except EngineError as fault:
        if fault.status != _CONFLICT:
            raise


def find(service: Json, configs: Iterable[Json]) -> Json | None:
    """The spec that a service had before its last change; ``None`` if it is not known.

    Args:
        service: as the Engine gives it.
        configs: of the Swarm.
    """
    current = digest(service["Spec"])
    previous: Json | None = service.get("PreviousSpec")
    if previous and digest(previous) != current:
        return previous
    for config in configs:
        content = _content(config)
        if _service_of(config) == service["ID"] and content.get("current") == current:
            found: Json = content["spec"]
            return found
    return None


def specs(configs: Iterable[Json]) -> list[Json]:
    """All specs that are kept."""
    return [spec for config in configs if (spec := _content(config).get("spec"))]


def is_kept(config: Json) -> bool:
    """Whether a config keeps a former spec."""
    return bool(_service_of(config))


def outdated(configs: Iterable[Json], services: Iterable[Json]) -> list[Json]:
    """The configs that are of no use: their service is gone, or has another version by now.

    Args:
        configs: of the Swarm, read before the services.
        services: all of the Swarm.
    """
    now = {service["ID"]: digest(service["Spec"]) for service in services}
    return [
        config
        for config in configs
        if is_kept(config) and now.get(_service_of(config)) != _content(config).get("current")
    ]


def _service_of(config: Json) -> str:
    return str((config["Spec"].get("Labels") or {}).get(LABEL, ""))


def _content(config: Json) -> Json:
    if not is_kept(config):
        return {}
    try:
        found = json.loads(base64.b64decode(config["Spec"].get("Data") or ""))
    except ValueError:
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("spec"), dict) else {}


def _without_empty(value: Any) -> Any:
    if isinstance(value, Mapping):
        below = {key: _without_empty(entry) for key, entry in value.items()}
        return {key: entry for key, entry in below.items() if entry not in (None, "", 0, {}, [])}
    if isinstance(value, list):
        return [_without_empty(entry) for entry in value]
    return value
