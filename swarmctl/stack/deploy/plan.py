"""What a deploy would change: the stack as it is to be, beside the stack as it is. Pure.

The same plan is what ``stack diff`` shows and what ``stack deploy`` carries out. A service that is
as it should be is not in it, and so is not touched: ``docker stack deploy`` sends every service
again, which makes ``docker service rollback`` go back to the very same version.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from swarmctl.errors import UsageError
from swarmctl.stack.deploy.current import Current
from swarmctl.stack.deploy.specs import Difference, differences, normal
from swarmctl.stack.deploy.wanted import Wanted
from swarmctl.swarm.engine import Json

CREATE, UPDATE, REMOVE, CHECK = "create", "update", "remove", "check"
_SIGNS = {CREATE: "+", UPDATE: "~", REMOVE: "-", CHECK: "?"}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to do.

    Attributes:
        kind: ``networks``, ``secrets``, ``configs`` or ``services``.
        action: ``create``, ``update``, ``remove``, or ``check`` (a secret that exists: only the
            managers can tell whether its content is the same).
        spec: what to send; ``None`` for a removal.
        differences: of an update.
    """

    kind: str
    action: str
    name: str
    spec: Json | None = None
    differences: tuple[Difference, ...] = ()

    def lines(self) -> Iterator[str]:
        """For people; never a secret's content."""
        yield f"{_SIGNS[self.action]} {self.kind.removesuffix('s')} {self.name}"
        yield from (f"    {difference}" for difference in self.differences)


@dataclass(frozen=True, slots=True)
class Plan:
    """All there is to do, in the order in which it is done."""

    stack: str
    changes: tuple[Change, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether the Swarm is as it should be."""
        return all(change.action == CHECK for change in self.changes)

    def of(self, kind: str, *actions: str) -> tuple[Change, ...]:
        """The changes of one kind."""
        return tuple(c for c in self.changes if c.kind == kind and c.action in actions)

    def lines(self) -> list[str]:
        """The difference, for people."""
        shown = (change for change in self.changes if change.action != CHECK)
        return [line for change in shown for line in change.lines()]


def plan(wanted: Wanted, current: Current, *, prune: bool = True) -> Plan:
    """Compare what is to be with what is.

    Args:
        wanted: with the images' digests already looked up.
        current: the stack in the Swarm.
        prune: whether services that are no longer in the file are removed.

    Raises:
        UsageError: a config exists under the same name with another content.
    """
    changes = [
        *(Change("networks", CREATE, name, spec) for name, spec in wanted.networks.items()),
        *_secrets(wanted.secrets, current.known.get("secrets", {})),
        *_configs(wanted.configs, current.known.get("configs", {})),
        *_services(wanted.services, current),
    ]
    if prune:
        gone = [name for name in current.services if name not in wanted.services]
        changes += [Change("services", REMOVE, name) for name in gone]
    return Plan(wanted.stack, tuple(changes))


def _secrets(wanted: Mapping[str, Json], there: Mapping[str, Json]) -> Iterator[Change]:
    for name, spec in wanted.items():
        if name not in there:
            yield Change("secrets", CREATE, name, spec)
        elif not _named_by_content(name, spec):
            yield Change("secrets", CHECK, name, spec)


def _configs(wanted: Mapping[str, Json], there: Mapping[str, Json]) -> Iterator[Change]:
    for name, spec in wanted.items():
        if name not in there:
            yield Change("configs", CREATE, name, spec)
        elif there[name]["Spec"].get("Data", "") != spec.get("Data", ""):
            raise UsageError(
                f"the config {name} exists with another content, and configs cannot be changed",
                "name it by its content: name: {{ file('…') | hashed('" + name + "') }}",
            )


def _named_by_content(name: str, spec: Mapping[str, str]) -> bool:
    content = base64.b64decode(spec.get("Data") or "")
    return name.endswith(f"-{hashlib.sha256(content).hexdigest()[:12]}")


def _services(wanted: Mapping[str, Json], current: Current) -> Iterator[Change]:
    for name, spec in wanted.items():
        there = current.services.get(name)
        if there is None:
            yield Change("services", CREATE, name, spec)
            continue
        names = current.network_names
        if found := differences(normal(there["Spec"], names), normal(spec, names)):
            yield Change("services", UPDATE, name, spec, found)
