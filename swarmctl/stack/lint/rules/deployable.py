"""SW006, SW007, SW008, SW010: ``docker stack config`` takes it, ``docker stack deploy`` does not.

Modelled on docker/cli cli/compose/convert and the Engine's checks of a service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from swarmctl.reading.yaml_nodes import Path
from swarmctl.registry.reference import parse
from swarmctl.stack.compose.scalars import Value
from swarmctl.stack.compose.view import Mount, Service, Stack
from swarmctl.stack.compose.wording import either
from swarmctl.stack.lint.phrases import meant
from swarmctl.stack.lint.rule import Context, Hit, Severity, rule


@rule("SW006", "undefined", Severity.ERROR, "a network, volume, secret or config is not defined")
def undefined(stack: Stack, _: Context) -> Iterator[Hit]:
    """Names used by a service that the top level does not define."""
    for service in stack.services:
        for section, name, path in _references(service):
            known = stack.definitions(section)
            if name not in known and not (section == "networks" and name == "default"):
                kind = section.removesuffix("s")
                words = f"the {kind} {name!r} is not defined under the top-level {section}"
                yield Hit(path, words + meant(name, known), on_value=True)


def _references(service: Service) -> Iterator[tuple[str, str, Path]]:
    for name, path in service.networks:
        yield "networks", name, path
    for mount in service.mounts:
        grouped = mount.source.startswith("group:")
        if mount.type in ("volume", "cluster") and mount.source and not grouped:
            yield "volumes", mount.source, mount.path
    for section in ("secrets", "configs"):
        entries = service.get(section)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            source = entry.get("source") if isinstance(entry, dict) else entry
            if isinstance(source, str):
                yield section, source, (*service.path, section, index)


@rule("SW007", "no-image", Severity.ERROR, "a service has no image, or an invalid name")
def image(stack: Stack, _: Context) -> Iterator[Hit]:
    """Swarm pulls images and does not build them."""
    for service in stack.services:
        if stack.has_unset((*service.path, "image")):
            continue  # SW009 says it
        if not service.image:
            built = " (build is ignored by docker stack)" if service.get("build") else ""
            yield Hit(service.path, f"the service {service.name!r} has no image{built}")
        elif parse(service.image) is None:
            words = f"{service.image!r} is not an image name ([registry/]name[:tag], lower case)"
            yield Hit((*service.path, "image"), words, on_value=True)


@rule("SW008", "deploy-refuses", Severity.ERROR, "docker stack deploy refuses this combination")
def refused(stack: Stack, _: Context) -> Iterator[Hit]:
    """What the conversion to a Swarm service fails on."""
    for service in stack.services:
        yield from _mode(service)
        yield from _healthcheck(service)
        yield from _restart(service)
        yield from _cpus(service)
        yield from _words(service)
        yield from _ports(service)
        for mount in service.mounts:
            yield from _mount(mount)


_MODES = ("replicated", "global", "replicated-job", "global-job")


def _one_of(known: Sequence[str], value: str, path: Path) -> Iterator[Hit]:
    if value not in known:
        words = f"{path[-1]} must be {either(known)}, not {value!r}{meant(value, known)}"
        yield Hit(path, words, on_value=True)


def _mode(service: Service) -> Iterator[Hit]:
    path = (*service.path, "deploy")
    yield from _one_of(_MODES, service.mode, (*path, "mode"))
    if service.is_global and service.get("deploy", "replicas") is not None:
        yield Hit((*path, "replicas"), f"replicas cannot be set in mode {service.mode}")


def _healthcheck(service: Service) -> Iterator[Hit]:
    if service.get("healthcheck", "disable") is True and service.get("healthcheck", "test"):
        path = (*service.path, "healthcheck", "disable")
        yield Hit(path, "a health check with a test cannot be disabled: remove one")


_RESTART = re.compile(r"(no|always|unless-stopped|on-failure(:[0-9]+)?)?\Z", re.ASCII)


def _restart(service: Service) -> Iterator[Hit]:
    restart = service.text("restart")
    if service.get("deploy", "restart_policy") is None and not _RESTART.match(restart):
        path = (*service.path, "restart")
        yield Hit(path, f"unknown restart policy {restart!r}", on_value=True)


# The words the Engine knows; docker stack config takes any.
_KNOWN_WORDS = {
    ("deploy", "restart_policy", "condition"): ("none", "on-failure", "any"),
    ("deploy", "update_config", "failure_action"): ("pause", "continue", "rollback"),
    ("deploy", "rollback_config", "failure_action"): ("pause", "continue"),
    ("deploy", "endpoint_mode"): ("vip", "dnsrr"),
}


def _words(service: Service) -> Iterator[Hit]:
    for steps, known in _KNOWN_WORDS.items():
        if word := service.text(*steps):
            yield from _one_of(known, word, (*service.path, *steps))


def _ports(service: Service) -> Iterator[Hit]:
    for port in service.ports:
        yield from _one_of(("ingress", "host"), port.spec.mode, (*port.path, "mode"))
        protocols = ("tcp", "udp", "sctp")
        yield from _one_of(protocols, port.spec.protocol, (*port.path, "protocol"))


_CPUS = re.compile(r"[0-9]*\.?[0-9]+|[0-9]+\.", re.ASCII)


def _cpus(service: Service) -> Iterator[Hit]:
    for kind in ("limits", "reservations"):
        cpus = service.text("deploy", "resources", kind, "cpus")
        if cpus and not _CPUS.fullmatch(cpus):
            path = (*service.path, "deploy", "resources", kind, "cpus")
            yield Hit(path, f"{cpus!r} is not a number of CPUs such as '0.5'", on_value=True)


_MOUNTS = ("volume", "bind", "tmpfs", "npipe", "cluster")


def _mount(mount: Mount) -> Iterator[Hit]:
    yield from _one_of(_MOUNTS, mount.type, (*mount.path, "type"))
    if mount.type not in _MOUNTS:
        return
    if mount.type == "tmpfs" and mount.source:
        yield Hit((*mount.path, "source"), "a tmpfs cannot have a source")
    if not mount.target:
        yield Hit(mount.path, "the volume has no target")
    for kind in ("volume", "bind", "tmpfs"):
        fits = kind == mount.type or (kind == "bind" and mount.type == "npipe")
        if not fits and mount.options.get(kind) is not None:
            yield Hit((*mount.path, kind), f"{kind} options do not apply to type {mount.type}")


@rule("SW010", "missing-file", Severity.WARNING, "a config's or secret's file does not exist")
def missing_file(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """docker stack deploy reads these files, relative to the compose file."""
    for section in ("configs", "secrets"):
        for definition in stack.definitions(section).values():
            name: Value = definition.get("file")
            if definition.external or not isinstance(name, str) or swarm.exists(name):
                continue
            words = f"the file {name!r} does not exist: docker stack deploy fails"
            yield Hit((*definition.path, "file"), words, on_value=True)
