"""What a Swarm has of one stack, as the Engine's own JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from swarmctl.stack.engine import Engine, Json
from swarmctl.swarm.model import STACK_LABEL

# In the order in which they can be made; they are removed the other way round.
KINDS = ("networks", "secrets", "configs", "services")


@dataclass(frozen=True, slots=True)
class Current:
    """A stack as it is: each kind by name. Without services it is not deployed."""

    stack: str
    services: Mapping[str, Json] = field(default_factory=dict)
    networks: Mapping[str, Json] = field(default_factory=dict)
    secrets: Mapping[str, Json] = field(default_factory=dict)
    configs: Mapping[str, Json] = field(default_factory=dict)
    network_names: Mapping[str, str] = field(default_factory=dict)  # id → name, of the whole Swarm

    def of(self, kind: str) -> Mapping[str, Json]:
        """All of one of :data:`KINDS`."""
        found: Mapping[str, Json] = getattr(self, kind)
        return found

    @property
    def empty(self) -> bool:
        """Whether nothing of the stack is there."""
        return not any(self.of(kind) for kind in KINDS)


def look(engine: Engine, stack: str) -> Current:
    """Ask for everything that carries a stack's label.

    Raises:
        SwarmctlError: no manager answers.
    """
    label = [f"{STACK_LABEL}={stack}"]
    networks = engine.get("/networks", scope=["swarm"])
    return Current(
        stack,
        services=_by_name(engine.get("/services", label=label)),
        secrets=_by_name(engine.get("/secrets", label=label)),
        configs=_by_name(engine.get("/configs", label=label)),
        networks={n["Name"]: n for n in networks if (n["Labels"] or {}).get(STACK_LABEL) == stack},
        network_names={network["Id"]: network["Name"] for network in networks},
    )


def _by_name(listed: list[Json] | None) -> dict[str, Json]:
    return {entry["Spec"]["Name"]: entry for entry in listed or []}


def used(services: list[Json]) -> dict[str, set[str]]:
    """The ids of the secrets and configs that these services need.

    A service's previous spec counts: ``docker service rollback`` goes back to it.
    """
    specs = [s.get(key) for s in services for key in ("Spec", "PreviousSpec")]
    return {
        "secrets": {ref["SecretID"] for spec in specs if spec for ref in references(spec, "Secret")},
        "configs": {ref["ConfigID"] for spec in specs if spec for ref in references(spec, "Config")},
    }


def references(spec: Mapping[str, Any], kind: str) -> Iterator[Json]:
    """The references of a service's spec to secrets (``Secret``) or configs (``Config``)."""
    template = spec.get("TaskTemplate") or {}
    container = template.get("ContainerSpec") or {}
    yield from container.get(f"{kind}s") or ()
    credentials = (container.get("Privileges") or {}).get("CredentialSpec") or {}
    if kind == "Config" and credentials.get("Config"):
        yield {"ConfigID": credentials["Config"], "ConfigName": ""}
