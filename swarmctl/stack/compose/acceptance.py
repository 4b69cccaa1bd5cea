"""Whether ``docker stack`` accepts a file, and everything it would refuse it for.

The steps of docker/cli's compose loader (``docker stack config``, the first half of ``docker stack
deploy``): parse, refuse forbidden keys, substitute variables, check keys and types, decode. Docker
stops at the first fault; here all are collected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from swarmctl.reading.yaml_nodes import Path
from swarmctl.stack.compose import notations
from swarmctl.stack.compose.check import Kind, Refusal, check, version_of
from swarmctl.stack.compose.document import Document
from swarmctl.stack.compose.interpolation import Interpolator
from swarmctl.stack.compose.language import NEWEST
from swarmctl.stack.compose.scalars import Value, spelled

ReadFile = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file's content with its variables substituted, and the reasons to refuse it."""

    config: dict[str, Value]
    refusals: tuple[Refusal, ...]


def load(document: Document, environment: Mapping[str, str], read_file: ReadFile) -> Loaded:
    """Go through the docker CLI's steps.

    Args:
        document: the parsed file.
        environment: where variables are looked up.
        read_file: the content of a file named in the compose file, ``None`` if there is none.
    """
    interpolator = Interpolator(environment)
    config = {key: interpolator.any(value, (key,)) for key, value in document.value.items()}
    refusals = list(_forbidden(document.value))
    refusals += [
        Refusal(Kind.VARIABLE if problem.fatal else Kind.UNSET, problem.path, problem.message)
        for problem in interpolator.problems
    ]
    refusals += _check(document.value, config)
    refusals += _services(config, read_file)
    refusals += _objects(config)
    refusals += _not_json(config, ())
    return Loaded(config, tuple(_distinct(refusals)))


def _check(written: Mapping[str, Value], config: Mapping[str, Value]) -> Iterator[Refusal]:
    version = version_of(written)
    if version is None:
        asked = spelled(written["version"])
        words = f"docker stack knows the versions 3.0 to 3.{NEWEST}, not {asked!r}"
        yield Refusal(Kind.SCHEMA, ("version",), words)
    else:
        yield from check(config, version)


def _distinct(refusals: list[Refusal]) -> Iterator[Refusal]:
    """At most one reason of a kind for each place."""
    seen: set[tuple[object, ...]] = set()
    for refusal in refusals:
        place = (refusal.kind is Kind.UNSET and refusal.message, refusal.path)
        if place not in seen:
            seen.add(place)
            yield refusal


_FORBIDDEN = {
    "extends": "docker stack has no extends",
    "volume_driver": "name the driver at the volume, under the top-level volumes",
    "volumes_from": "share a volume of the top-level volumes instead",
    "cpu_quota": "use deploy.resources.limits.cpus",
    "cpu_shares": "use deploy.resources.limits.cpus",
    "cpuset": "use deploy.resources.limits.cpus",
    "mem_limit": "use deploy.resources.limits.memory",
    "memswap_limit": "use deploy.resources.limits.memory",
}


def _forbidden(value: Mapping[str, Value]) -> Iterator[Refusal]:
    for name, service in _maps(value.get("services")):
        for key in service:
            if key in _FORBIDDEN:
                words = f"docker stack refuses the key {key!r}: {_FORBIDDEN[key]}"
                yield Refusal(Kind.SCHEMA, ("services", name, key), words, on_value=False)


def _maps(section: Value) -> Iterator[tuple[str, dict[str, Value]]]:
    for name, item in section.items() if isinstance(section, dict) else ():
        if isinstance(item, dict):
            yield name, item


def at(value: Value, *steps: str) -> Value:
    """The value below a map's keys, or ``None``."""
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


# --- what keys and types do not tell --------------------------------------------------------------


def _services(config: Mapping[str, Value], read_file: ReadFile) -> Iterator[Refusal]:
    for name, service in _maps(config.get("services")):
        path: Path = ("services", name)
        volumes = service.get("volumes")
        for index, entry in enumerate(volumes if isinstance(volumes, list) else ()):
            if at(entry, "type") == "bind" and not at(entry, "source"):
                yield Refusal(Kind.VALUE, (*path, "volumes", index), "a bind mount needs a source")
        yield from _env_files(service, path, read_file)


def _env_files(service: dict[str, Value], path: Path, read_file: ReadFile) -> Iterator[Refusal]:
    listed = service.get("env_file")
    names = [listed] if isinstance(listed, str) else listed
    for index, name in enumerate(names if isinstance(names, list) else ()):
        if not isinstance(name, str):
            continue
        place = (*path, "env_file", *((index,) if isinstance(listed, list) else ()))
        data = read_file(name)
        if data is None:
            words = f"no file {name!r} beside the compose file: docker stack stops here"
            yield Refusal(Kind.ENV_FILE, place, words)
            continue
        try:
            notations.env_file(data)
        except notations.NotationError as fault:
            yield Refusal(Kind.ENV_FILE, place, f"{name}: {fault}")


def _objects(config: Mapping[str, Value]) -> Iterator[Refusal]:
    for section in ("networks", "volumes", "secrets", "configs"):
        for name, entry in _maps(config.get(section)):
            path: Path = (section, name)
            external = entry.get("external")
            if external is True or isinstance(external, dict):
                yield from _external(section, entry, path)
            elif section in ("secrets", "configs") and entry.get("driver") and entry.get("file"):
                words = "driver and file exclude each other"
                yield Refusal(Kind.VALUE, (*path, "file"), words, on_value=False)


def _external(section: str, entry: dict[str, Value], path: Path) -> Iterator[Refusal]:
    if section == "volumes":
        for key in ("driver", "driver_opts", "labels", "x-cluster-spec"):
            if entry.get(key) or (key == "x-cluster-spec" and key in entry):
                words = f"an external volume cannot have {key}"
                yield Refusal(Kind.VALUE, (*path, key), words, on_value=False)
    if at(entry, "external", "name") and entry.get("name"):
        words = "external.name and name exclude each other; keep name"
        yield Refusal(Kind.VALUE, (*path, "name"), words, on_value=False)


def _not_json(value: Value, path: Path) -> Iterator[Refusal]:
    """Infinities and NaN: Docker sends the file through JSON, which has none."""
    if isinstance(value, float) and value - value != 0:
        yield Refusal(Kind.VALUE, path, "not a finite number")
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _not_json(item, (*path, key))
