"""A stack as a deployer sees it: services with their ports, mounts and placement.

Built from the substituted values and tolerant of anything, so that a file with one mistake is
still linted for the rest. Every part knows its path, by which its place in the text is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from swarmctl.reading.yaml_nodes import Node, Path
from swarmctl.stack.compose import notations
from swarmctl.stack.compose.acceptance import at
from swarmctl.stack.compose.check import Kind, Refusal
from swarmctl.stack.compose.document import Document
from swarmctl.stack.compose.origins import Origins
from swarmctl.stack.compose.scalars import Value, spelled


@dataclass(frozen=True, slots=True)
class Port:
    """A published port of a service."""

    spec: notations.PortSpec
    path: Path

    @property
    def key(self) -> str:
        """``80/tcp``: what two services cannot both have."""
        return f"{self.spec.published}/{self.spec.protocol}"


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume, bind or tmpfs of a service."""

    type: str
    source: str
    target: str
    read_only: bool
    path: Path
    options: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable; ``value`` is ``None`` when it is taken from the deployer's shell."""

    name: str
    value: str | None
    path: Path


@dataclass(frozen=True, slots=True)
class Service:
    """One service."""

    name: str
    path: Path
    raw: Mapping[str, Value]
    ports: tuple[Port, ...]
    mounts: tuple[Mount, ...]
    environment: tuple[Variable, ...]
    networks: tuple[tuple[str, Path], ...]
    constraints: tuple[tuple[str, Path], ...]

    def get(self, *steps: str) -> Value:
        """A value below the service, ``None`` if there is none."""
        return at(self.raw, *steps)

    def text(self, *steps: str) -> str:
        """A string below the service, ``""`` if there is none."""
        value = self.get(*steps)
        return value if isinstance(value, str) else ""

    def whole(self, *steps: str) -> int | None:
        """A whole number below the service."""
        value = self.get(*steps)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return int(value) if is_number and value - value == 0 else None

    def nearest(self, *steps: str) -> Path:
        """The path of a value below the service, or of its nearest parent that exists."""
        while steps and self.get(*steps) is None:
            steps = steps[:-1]
        return (*self.path, *steps)

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the service (``deploy.labels``), not those of its containers."""
        raw = self.get("deploy", "labels")
        if isinstance(raw, list):
            pairs = (each.partition("=") for each in raw if isinstance(each, str))
            return {key: text for key, _, text in pairs}
        return {k: spelled(v) for k, v in raw.items()} if isinstance(raw, dict) else {}

    @property
    def image(self) -> str:
        """The image it runs, variables substituted."""
        return self.text("image")

    @property
    def mode(self) -> str:
        """``replicated``, ``global``, ``replicated-job`` or ``global-job``."""
        return self.text("deploy", "mode") or "replicated"

    @property
    def is_global(self) -> bool:
        """Whether it has one task a node."""
        return self.mode.startswith("global")

    @property
    def is_job(self) -> bool:
        """Whether its tasks end."""
        return self.mode.endswith("-job")

    @property
    def replicas(self) -> int:
        """How many tasks are wanted; 1 when unsaid, 0 for a global service."""
        if self.is_global:
            return 0
        number = self.whole("deploy", "replicas")
        return 1 if number is None else max(0, number)

    @property
    def published(self) -> bool:
        """Whether it is reached from outside."""
        return bool(self.ports)


@dataclass(frozen=True, slots=True)
class Definition:
    """A top-level network, volume, secret or config."""

    key: str
    path: Path
    raw: Mapping[str, Value]

    def get(self, *steps: str) -> Value:
        """A value below it."""
        return at(self.raw, *steps)

    @property
    def external(self) -> bool:
        """Whether it is made elsewhere."""
        external = self.get("external")
        return external is True or isinstance(external, dict)

    @property
    def name(self) -> str:
        """Its name where it is given one."""
        name = self.get("name") or self.get("external", "name")
        return name if isinstance(name, str) else ""

    @property
    def driver(self) -> str:
        """Its driver, ``""`` when it names none."""
        driver = self.get("driver")
        return driver if isinstance(driver, str) else ""

    @property
    def options(self) -> Mapping[str, str]:
        """Its driver's options."""
        options = self.get("driver_opts")
        pairs = options.items() if isinstance(options, dict) else ()
        return {key: spelled(value) for key, value in pairs}


@dataclass(frozen=True, slots=True)
class File:
    """A compose file of a stack.

    Attributes:
        label: its name in messages.
        document: its text and nodes.
        refusals: why ``docker stack`` refuses it.
    """

    label: str
    document: Document
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Stack:
    """One or several compose files, merged; ``origins`` tells which file a value is written in."""

    files: tuple[File, ...]
    origins: Origins
    config: Mapping[str, Value]
    services: tuple[Service, ...]
    networks: Mapping[str, Definition]
    volumes: Mapping[str, Definition]
    secrets: Mapping[str, Definition]
    configs: Mapping[str, Definition]

    def has_unset(self, path: Path) -> bool:
        """Whether a value holds a variable that is not set, so that it is unknown."""
        place = self.origins.of(path)
        refusals = self.files[place.file].refusals
        return any(r.kind is Kind.UNSET and r.path == place.path for r in refusals)

    def node(self, path: Path) -> Node | None:
        """A value as it is written in its file, ``None`` if there is none."""
        place = self.origins.of(path)
        return self.files[place.file].document.node(place.path)

    def definitions(self, section: str) -> Mapping[str, Definition]:
        """The top-level networks, volumes, secrets or configs."""
        found: Mapping[str, Definition] = getattr(self, section)
        return found


def build(files: Sequence[File], config: Mapping[str, Value], origins: Origins) -> Stack:
    """The view of a stack.

    Args:
        files: its files.
        config: their merged values, variables substituted.
        origins: where each value is written.
    """
    return Stack(
        files=tuple(files),
        origins=origins,
        config=config,
        services=tuple(
            _service(name, raw)
            for name, raw in _entries(config.get("services"))
            if isinstance(raw, dict)
        ),
        networks=_definitions(config, "networks"),
        volumes=_definitions(config, "volumes"),
        secrets=_definitions(config, "secrets"),
        configs=_definitions(config, "configs"),
    )


def _definitions(config: Mapping[str, Value], section: str) -> dict[str, Definition]:
    return {
        key: Definition(key, (section, key), raw if isinstance(raw, dict) else {})
        for key, raw in _entries(config.get(section))
    }


def _entries(value: Value) -> Iterator[tuple[str, Value]]:
    yield from value.items() if isinstance(value, dict) else ()


def _items(value: Value) -> Iterator[tuple[int, Value]]:
    yield from enumerate(value) if isinstance(value, list) else ()


def _service(name: str, raw: dict[str, Value]) -> Service:
    path: Path = ("services", name)
    return Service(
        name=name,
        path=path,
        raw=raw,
        ports=tuple(_ports(raw.get("ports"), (*path, "ports"))),
        mounts=tuple(_mounts(raw.get("volumes"), (*path, "volumes"))),
        environment=tuple(_variables(raw.get("environment"), (*path, "environment"))),
        networks=tuple(_names(raw.get("networks"), (*path, "networks"))),
        constraints=tuple(_constraints(raw, path)),
    )


def _ports(value: Value, path: Path) -> Iterator[Port]:
    for index, entry in _items(value):
        place = (*path, index)
        if isinstance(entry, dict):
            yield Port(_long_port(entry), place)
        elif isinstance(entry, str | int) and not isinstance(entry, bool):
            try:
                yield from (Port(spec, place) for spec in notations.ports(str(entry)))
            except notations.NotationError:
                continue  # refused already


def _long_port(entry: dict[str, Value]) -> notations.PortSpec:
    def number(key: str) -> int:
        value: Any = entry.get(key)
        return int(value) if isinstance(value, int | float) and value - value == 0 else 0

    return notations.PortSpec(
        target=number("target"),
        published=number("published"),
        protocol=str(entry.get("protocol") or "tcp"),
        mode=str(entry.get("mode") or "ingress"),
    )


def _mounts(value: Value, path: Path) -> Iterator[Mount]:
    for index, entry in _items(value):
        place = (*path, index)
        if isinstance(entry, dict):
            texts = {k: v for k, v in entry.items() if isinstance(v, str)}
            kind = texts.get("type", "volume")
            source, target = texts.get("source", ""), texts.get("target", "")
            yield Mount(kind, source, target, entry.get("read_only") is True, place, entry)
        elif isinstance(entry, str):
            try:
                spec = notations.volume(entry)
            except notations.NotationError:
                continue  # refused already
            yield Mount(spec.type, spec.source, spec.target, spec.read_only, place)


def _variables(value: Value, path: Path) -> Iterator[Variable]:
    for name, item in _entries(value):
        yield Variable(name, None if item is None else spelled(item), (*path, name))
    for index, item in _items(value):
        if isinstance(item, str):
            name, equals, text = item.partition("=")
            yield Variable(name, text if equals else None, (*path, index))


def _names(value: Value, path: Path) -> Iterator[tuple[str, Path]]:
    for name, _ in _entries(value):
        yield name, (*path, name)
    for index, name in _items(value):
        if isinstance(name, str):
            yield name, (*path, index)


def _constraints(raw: dict[str, Value], path: Path) -> Iterator[tuple[str, Path]]:
    steps = ("deploy", "placement", "constraints")
    for index, text in _items(at(raw, *steps)):
        if isinstance(text, str):
            yield text, (*path, *steps, index)
