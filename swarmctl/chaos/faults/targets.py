"""What an experiment is aimed at: named nodes, or a draw that anyone can repeat from its seed."""

from __future__ import annotations

import math
import random
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from swarmctl.errors import UsageError
from swarmctl.reading.names import unknown
from swarmctl.swarm.model import Node, Service, Swarm, Task

ROLES = ("worker", "manager")
# The node label that the role swarm gives every node.
ZONE_LABEL = "az"
_LEADER = "leader"
_FILTERS = ("role", "label", "az", "hosts-service", "service")


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user asked for. Names name; everything else says among which nodes to draw.

    Args:
        names: hostnames; when given, nothing is drawn.
        role: only nodes of this role; ``""`` for any.
        labels: only nodes with these labels.
        zone: only nodes of this availability zone (label ``az``).
        leader: only the leading manager.
        hosts: only nodes on which a replica of this service runs.
        service: for faults that aim at tasks: of this service.
        count: how many to draw; ``None`` together with ``percent`` ``None`` is one.
        percent: how many of those that are eligible to draw, rounded up.
        seed: what the draw is made from; equal seeds on equal Managers draw equal targets.
    """

    names: tuple[str, ...] = ()
    role: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    zone: str = ""
    leader: bool = False
    hosts: str = ""
    service: str = ""
    count: int | None = None
    percent: float | None = None
    seed: int | None = None

    def parameters(self) -> dict[str, Any]:
        """What a journal keeps, enough to select the same targets again."""
        if self.names:
            kept: dict[str, Any] = {"target": list(self.names)}
            return kept | ({"service": self.service} if self.service else {})
        kept = {
            "role": self.role,
            "labels": dict(self.labels),
            "az": self.zone,
            "leader": self.leader,
            "hosts-service": self.hosts,
            "service": self.service,
        }
        size = {"percent": self.percent} if self.percent else {"count": self.count or 1}
        return {k: v for k, v in kept.items() if v} | size | {"seed": self.seed}

    @property
    def drawn(self) -> bool:
        """Whether chance has a say."""
        return not self.names and not self.leader and self.percent != 100


def parse(words: Iterable[str]) -> dict[str, Any]:
    """Fields of a selection, from what was typed behind ``--target``.

    ``leader``, ``role:worker``, ``label:disk=ssd``, ``az:eu-central-1a``, ``hosts-service:web``,
    ``service:web``; anything else is a node's name.

    Raises:
        UsageError: a filter that does not exist, or names together with filters.
    """
    found: dict[str, Any] = {}
    names: list[str] = []
    for word in words:
        key, colon, value = word.partition(":")
        if word == _LEADER:
            found["leader"] = True
        elif not colon:
            names.append(word)
        elif key == "label":
            name, _, text = value.partition("=")
            found.setdefault("labels", {})[name] = text
        elif key in _FILTERS:
            found[{"az": "zone", "hosts-service": "hosts"}.get(key, key)] = value
        else:
            raise unknown("kind of target", key, [*_FILTERS, _LEADER])
    if names and found.keys() - {"service"}:
        raise UsageError(
            "a target is named or drawn, not both",
            "give names, or filters like role:worker or az:ZONE that together say where to draw",
        )
    return found | ({"names": tuple(names)} if names else {})


def merged(usual: Selection, said: Mapping[str, Any]) -> Selection:
    """What was said, over what is usual for the fault.

    The usual role is for those who say nothing about where to draw, and the usual size for those
    who say none.

    Args:
        usual: the fault's own selection.
        said: fields of a selection; those that were not said are missing.
    """
    if said.keys() - {"service", "seed", "count", "percent"}:
        usual = Selection(percent=usual.percent)
    if said.keys() & {"count", "percent"}:
        usual = replace(usual, count=None, percent=None)
    return replace(usual, **said)


def new_seed() -> int:
    """A seed for a draw, short enough to be typed again."""
    return secrets.randbelow(1_000_000)


def choose(swarm: Swarm, selection: Selection) -> tuple[Node, ...]:
    """The nodes a selection means in this Swarm, by name.

    Raises:
        UsageError: an unknown node, role, zone or service, or more asked for than there are.
    """
    if selection.names:
        return _named(swarm, selection.names)
    pool = candidates(swarm, selection)
    return tuple(sorted(_draw(pool, selection, "nodes"), key=lambda node: node.hostname))


def choose_tasks(swarm: Swarm, selection: Selection) -> tuple[Task, ...]:
    """The tasks a selection means: of its service, running, on its nodes.

    Raises:
        UsageError: no service was named, it is unknown, or it has no such task.
    """
    service = _service(swarm, selection.service)
    if selection.names:
        nodes = {node.id for node in _named(swarm, selection.names)}
    else:
        nodes = {node.id for node in candidates(swarm, selection)}
    pool = sorted(
        (t for t in swarm.serving(service) if t.node_id in nodes), key=lambda t: (t.slot, t.id)
    )
    if not pool:
        raise UsageError(f"no task of {service.name} runs on the nodes that are meant")
    return tuple(_draw(pool, selection, f"tasks of {service.name}"))


def candidates(swarm: Swarm, selection: Selection) -> list[Node]:
    """The nodes that are drawn among.

    Raises:
        UsageError: a filter names something that does not exist, or nothing fits all of them.
    """
    if selection.role and selection.role not in ROLES:
        raise unknown("role", selection.role, ROLES)
    zones = {n.labels[ZONE_LABEL] for n in swarm.nodes if n.labels.get(ZONE_LABEL)}
    if selection.zone and selection.zone not in zones:
        raise unknown("availability zone", selection.zone, zones)
    hosts: set[str] = set()
    if selection.hosts:
        hosts = {task.node_id for task in swarm.serving(_service(swarm, selection.hosts))}
    pool = [
        node
        for node in swarm.nodes
        if (not selection.role or node.role == selection.role)
        and all(node.labels.get(k) == v for k, v in selection.labels.items())
        and (not selection.zone or node.labels.get(ZONE_LABEL) == selection.zone)
        and (not selection.leader or node.leader)
        and (not selection.hosts or node.id in hosts)
    ]
    if not pool:
        asked = {k: v for k, v in selection.parameters().items() if k not in ("count", "seed")}
        listing = ", ".join(f"{node.hostname} ({node.role})" for node in swarm.nodes)
        raise UsageError(f"no node fits {asked}", f"nodes: {listing}")
    # Sorted by name: the order the managers list nodes in differs from one request to the next.
    return sorted(pool, key=lambda n: (n.hostname, n.id))


def _draw(pool: Sequence[Any], selection: Selection, what: str) -> list[Any]:
    if selection.percent is not None:
        if not 0 < selection.percent <= 100:
            raise UsageError(f"{selection.percent:g} % is no share", "write 1 to 100")
        # Rounded up: a third of three is one, whatever the floating point says.
        count = math.ceil(round(len(pool) * selection.percent / 100, 6))
    else:
        count = 1 if selection.count is None else selection.count
    if count < 1:
        raise UsageError(f"cannot lose {count} {what}", "--count starts at 1")
    if count > len(pool):
        names = ", ".join(getattr(one, "hostname", "") or one.id for one in pool)
        raise UsageError(f"cannot draw {count} {what} from {len(pool)}", f"there are: {names}")
    if count == len(pool):
        return list(pool)
    if selection.seed is None:
        raise ValueError("a draw needs a seed")
    return random.Random(selection.seed).sample(pool, count)  # noqa: S311  repeatable on purpose


def _named(swarm: Swarm, names: Sequence[str]) -> tuple[Node, ...]:
    by_name = {node.hostname: node for node in swarm.nodes}
    # A machine that joined anew leaves its old, dead entry behind under the same name.
    by_name |= {node.hostname: node for node in swarm.nodes if node.live}
    for name in names:
        if name not in by_name:
            raise unknown("node", name, by_name)
    return tuple(by_name[name] for name in dict.fromkeys(names))


def _service(swarm: Swarm, name: str) -> Service:
    service = swarm.service_by_name(name)
    if service is None:
        raise unknown("service", name, (s.name for s in swarm.services))
    return service
