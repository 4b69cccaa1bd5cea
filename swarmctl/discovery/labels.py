"""How a service is published: its labels (``deploy.labels`` of a compose file), and its names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from swarmctl.reading.names import dns_label
from swarmctl.registry.reference import parse
from swarmctl.swarm.model import Port, Service, Task

PREFIX = "swarmctl.discovery."
ENABLE, NAME, PORT, TAGS, VERSION = (
    PREFIX + key for key in ("enable", "name", "port", "tags", "version")
)

_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_FALSE, _TRUE = ("false", "no", "0"), ("true", "yes", "1", "")


class LabelError(ValueError):
    """A label, or a name made from it, cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What a service's labels say.

    Attributes:
        name: of the main port.
        named: whether a label gave the name: services may then share it.
        main: the target port that has the plain name.
        tags: see :class:`swarmctl.discovery.endpoint.Endpoint`.
    """

    name: str
    named: bool
    main: int
    tags: tuple[str, ...]

    def name_of(self, target: int) -> str:
        """The name of a port: every other port has its number added, ``web-443``.

        Raises:
            LabelError: the name is too long.
        """
        return self.name if target == self.main else _checked(f"{self.name}-{target}")


def publication(service: Service) -> Publication | None:
    """How a service is published, or ``None`` if a label forbids it.

    Raises:
        LabelError: a label's value cannot be used.
    """
    labels = service.labels
    if (enable := labels.get(ENABLE, "").strip().lower()) in _FALSE:
        return None
    if enable not in _TRUE:
        raise LabelError(f"{ENABLE}={enable}: write true or false")
    given = labels.get(NAME, "").strip()
    tags = (tag.strip() for tag in labels.get(TAGS, "").split(","))
    return Publication(
        name=_checked(given.lower() or dns_label(service.name)),
        named=bool(given),
        main=_main_port(labels.get(PORT, "").strip(), service.ports),
        tags=tuple(dict.fromkeys(tag for tag in tags if tag)),
    )


def is_dns_label(name: str) -> bool:
    """Whether DNS can hold it: 1 to 63 characters."""
    return _DNS_LABEL.fullmatch(name) is not None


def version(service: Service, task: Task | None) -> str:
    """The label's version, else the tag of the image that the task runs."""
    image = parse((task.image if task else "") or service.image)
    return service.labels.get(VERSION, "").strip() or (image.tag if image else "")


def _main_port(wanted: str, ports: tuple[Port, ...]) -> int:
    targets = sorted({port.target for port in ports})
    if not wanted:
        return targets[0] if targets else 0
    if wanted not in map(str, targets):
        known = ", ".join(map(str, targets)) or "none"
        raise LabelError(f"{PORT}={wanted}: no such target port is published; published: {known}")
    return int(wanted)


def _checked(name: str) -> str:
    if not is_dns_label(name):
        raise LabelError(
            f"{name!r} is no DNS label (at most 63 letters, digits and hyphens): "
            f"give the service another {NAME}"
        )
    return name
