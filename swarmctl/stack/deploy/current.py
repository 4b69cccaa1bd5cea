"""A deployed stack: everything in the Swarm that carries its label, as the Engine's JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from swarmctl.swarm.engine import Engine, Json
from swarmctl.swarm.model import STACK_LABEL

# In the order of creation; removal goes in the reverse order.
KINDS = ("networks", "secrets", "configs", "services")


@dataclass(frozen=True, slots=True)
class CurrentStack:
    """A stack in the Swarm: the objects of each kind by name.

    Attributes:
        known: all secrets and configs of the Swarm, by kind and name.
        network_names: id → name, of the whole Swarm.
    """

    stack: str
    services: Mapping[str, Json] = field(default_factory=dict)
    networks: Mapping[str, Json] = field(default_factory=dict)
    secrets: Mapping[str, Json] = field(default_factory=dict)
    configs: Mapping[str, Json] = field(default_factory=dict)
    known: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    network_names: Mapping[str, str] = field(default_factory=dict)

    def of(self, kind: str) -> Mapping[str, Json]:
        """The stack's objects of one kind, see :data:`KINDS`."""
        found: Mapping[str, Json] = getattr(self, kind)
        return found

    def ids(self, kind: str) -> dict[str, str]:
        """Name → id of the stack's objects of one kind; the Engine spells a network's ``Id``."""
        return {name: str(o.get("ID") or o["Id"]) for name, o in self.of(kind).items()}

    @property
    def empty(self) -> bool:
        """Whether the Swarm has nothing of this stack."""
        return not any(self.of(kind) for kind in KINDS)


def read_current(engine: Engine, stack: str) -> CurrentStack:
    """Ask the Swarm for everything that carries a stack's label.

    Raises:
        SwarmctlError: no manager answers.
    """
    networks = {n["Name"]: n for n in engine.get("/networks", scope=["swarm"])}
    secrets, configs = _by_name(engine.get("/secrets")), _by_name(engine.get("/configs"))

    def of_the_stack(entries: Mapping[str, Json]) -> dict[str, Json]:
        return {name: entry for name, entry in entries.items() if stack_of(entry) == stack}

    services = _by_name(engine.get("/services", label=[f"{STACK_LABEL}={stack}"]))
    names = {network["Id"]: name for name, network in networks.items()}
    return CurrentStack(
        stack,
        services=services,
        secrets=of_the_stack(secrets),
        configs=of_the_stack(configs),
        networks=of_the_stack(networks),
        known={"secrets": secrets, "configs": configs},
        network_names=names | _unlisted(engine, services, names),
    )


def _unlisted(
    engine: Engine, services: Mapping[str, Json], names: Mapping[str, str]
) -> dict[str, str]:
    """The names of networks that are not listed: Swarm has an id of its own for ``host``."""
    used = {
        str(network["Target"])
        for service in services.values()
        for network in service["Spec"].get("TaskTemplate", {}).get("Networks") or ()
    }
    unlisted = sorted(used - set(names) - set(names.values()))
    return {id_: str(engine.get(f"/networks/{id_}")["Name"]) for id_ in unlisted}


def stack_of(entry: Json) -> str:
    """The stack that an object belongs to, or ``""``."""
    labels = entry["Spec"].get("Labels") if "Spec" in entry else entry.get("Labels")
    return str((labels or {}).get(STACK_LABEL, ""))


def _by_name(listed: list[Json] | None) -> dict[str, Json]:
    return {entry["Spec"]["Name"]: entry for entry in listed or []}


def ids_in_use(services: Iterable[Json]) -> dict[str, set[str]]:
    """The ids of the secrets and configs that these services use.

    Previous specs count as well: ``docker service rollback`` returns to them.
    """
    specs = [spec for s in services for key in ("Spec", "PreviousSpec") if (spec := s.get(key))]
    return {
        "secrets": {ref["SecretID"] for spec in specs for ref in references(spec, "Secret")},
        "configs": {ref["ConfigID"] for spec in specs for ref in references(spec, "Config")},
    }


def references(spec: Mapping[str, Any], kind: str) -> Iterator[Json]:
    """The references of a service's spec to secrets (``Secret``) or configs (``Config``)."""
    template = spec.get("TaskTemplate") or {}
    container = template.get("ContainerSpec") or {}
    yield from container.get(f"{kind}s") or ()
    credentials = (container.get("Privileges") or {}).get("CredentialSpec") or {}
    if kind == "Config" and credentials.get("Config"):
        yield {"ConfigID": credentials["Config"], "ConfigName": ""}
