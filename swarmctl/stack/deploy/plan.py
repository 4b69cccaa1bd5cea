"""What a deploy changes: the desired stack compared with the current one. Pure.

``stack diff`` shows this plan and ``stack deploy`` carries it out. A service that needs no change
is not in the plan and is not touched. (``docker stack deploy`` sends every service again, and then
``docker service rollback`` returns to the very same version.)
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from swarmctl.errors import UsageError
from swarmctl.stack.deploy.current import CurrentStack
from swarmctl.stack.deploy.desired import DesiredStack
from swarmctl.stack.deploy.specs import Difference, differences, hashed_name_hint, normal
from swarmctl.stack.render.hashing import is_hashed
from swarmctl.swarm.engine import Json

CREATE, UPDATE, REMOVE, CHECK = "create", "update", "remove", "check"
_SIGNS = {CREATE: "+", UPDATE: "~", REMOVE: "-", CHECK: "?"}


@dataclass(frozen=True, slots=True)
class Change:
    """One change.

    Attributes:
        kind: ``networks``, ``secrets``, ``configs`` or ``services``.
        action: ``create``, ``update``, ``remove``, or ``check`` (a secret that exists: only the
            managers can tell whether its content is the same).
        spec: the request's body; ``None`` for a removal.
        differences: what an update changes.
    """

    kind: str
    action: str
    name: str
    spec: Json | None = None
    differences: tuple[Difference, ...] = ()

    def lines(self) -> Iterator[str]:
        """The change as text; never a secret's content."""
        yield f"{_SIGNS[self.action]} {self.kind.removesuffix('s')} {self.name}"
        yield from (f"    {difference}" for difference in self.differences)


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """All changes of a deploy, in the order in which they are made."""

    stack: str
    changes: tuple[Change, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing has to be changed."""
        return all(change.action == CHECK for change in self.changes)

    def of(self, kind: str, *actions: str) -> tuple[Change, ...]:
        """The changes of one kind."""
        return tuple(c for c in self.changes if c.kind == kind and c.action in actions)

    def lines(self) -> list[str]:
        """The plan as text, without checks."""
        shown = (change for change in self.changes if change.action != CHECK)
        return [line for change in shown for line in change.lines()]


def plan_changes(desired: DesiredStack, current: CurrentStack, *, prune: bool = True) -> DeployPlan:
    """Compare the desired stack with the current one.

    Args:
        desired: with the images' digests resolved.
        current: the stack in the Swarm.
        prune: whether services that are no longer in the file are removed.

    Raises:
        UsageError: a config exists under the same name with other content.
    """
    changes = [
        *(Change("networks", CREATE, name, spec) for name, spec in desired.networks.items()),
        *_secrets(desired.secrets, current.known.get("secrets", {})),
        *_configs(desired.configs, current.known.get("configs", {})),
        *_services(desired.services, current),
    ]
    if prune:
        gone = [name for name in current.services if name not in desired.services]
        changes += [Change("services", REMOVE, name) for name in gone]
    return DeployPlan(desired.stack, tuple(changes))


def _secrets(desired: Mapping[str, Json], there: Mapping[str, Json]) -> Iterator[Change]:
    for name, spec in desired.items():
        if name not in there:
            yield Change("secrets", CREATE, name, spec)
        elif not is_hashed(name, base64.b64decode(spec.get("Data") or "")):
            yield Change("secrets", CHECK, name, spec)


def _configs(desired: Mapping[str, Json], there: Mapping[str, Json]) -> Iterator[Change]:
    for name, spec in desired.items():
        if name not in there:
            yield Change("configs", CREATE, name, spec)
        elif there[name]["Spec"].get("Data", "") != spec.get("Data", ""):
            raise UsageError(
                f"the config {name} exists with other content, and configs cannot be changed",
                hashed_name_hint(name),
            )


def _services(desired: Mapping[str, Json], current: CurrentStack) -> Iterator[Change]:
    for name, spec in desired.items():
        there = current.services.get(name)
        if there is None:
            yield Change("services", CREATE, name, spec)
            continue
        names = current.network_names
        if found := differences(normal(there["Spec"], names), normal(spec, names)):
            yield Change("services", UPDATE, name, spec, found)
