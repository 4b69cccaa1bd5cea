"""Whether ``docker stack`` takes a file at all, and everything it would refuse it for.

The steps of docker/cli's compose loader (``docker stack config``, the first half of ``docker stack
deploy``): parse, forbid, substitute variables, check by schema, decode. Docker stops at the first
fault; here all are collected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from swarmctl.reading import quantities
from swarmctl.reading.yaml_nodes import Path
from swarmctl.stack.compose import notations as specs
from swarmctl.stack.compose import schema
from swarmctl.stack.compose.document import Document
from swarmctl.stack.compose.interpolate import Interpolator
from swarmctl.stack.compose.scalars import Timestamp, Value

SYNTAX, SCHEMA, VARIABLE, VALUE, ENV_FILE = "SW001", "SW002", "SW003", "SW004", "SW005"
UNSET = "SW009"

ReadFile = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason for which ``docker stack config`` fails (or, for ``UNSET``, should have)."""

    rule: str
    path: Path
    message: str
    on_value: bool = True


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file's content with its variables substituted, and what stands against it."""

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
        Refusal(VARIABLE if problem.fatal else UNSET, problem.path, problem.message)
        for problem in interpolator.problems
    ]
    refusals += _schema_faults(document.value, config)
    refusals += _services(config, read_file)
    refusals += _objects(config)
    refusals += _not_json(config, ())
    return Loaded(config, tuple(_distinct(refusals)))


def _distinct(refusals: list[Refusal]) -> Iterator[Refusal]:
    """At most one reason of a kind for each place."""
    seen: set[tuple[object, ...]] = set()
    for refusal in refusals:
        place = (refusal.rule == UNSET and refusal.message, refusal.path)
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
                yield Refusal(SCHEMA, ("services", name, key), words, on_value=False)


def _schema_faults(written: Mapping[str, Value], config: Mapping[str, Value]) -> list[Refusal]:
    version = schema.version_of(written)
    found = schema.faults(config, version)
    hint = ""
    newest = {key: value for key, value in config.items() if key != "version"}
    if found and version != schema.NEWEST and not schema.faults(newest, schema.NEWEST):
        hint = f" (version {schema.NEWEST} takes it: remove the line `version`)"
    return [Refusal(SCHEMA, f.path, f.message + hint, f.on_value) for f in found]


def _maps(section: Value) -> Iterator[tuple[str, dict[str, Value]]]:
    for name, item in section.items() if isinstance(section, dict) else ():
        if isinstance(item, dict):
            yield name, item


def at(value: Value, *steps: str) -> Value:
    """The value below a map's keys, or ``None``."""
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


# --- decoding: what the schema lets through and Go's types do not ---------------------------------

_COUNTS = (
    ("deploy", "replicas"),
    ("deploy", "update_config", "parallelism"),
    ("deploy", "rollback_config", "parallelism"),
    ("deploy", "restart_policy", "max_attempts"),
    ("deploy", "placement", "max_replicas_per_node"),
    ("healthcheck", "retries"),
)
_SIZES = (
    ("deploy", "resources", "limits", "memory"),
    ("deploy", "resources", "reservations", "memory"),
)


def _services(config: Mapping[str, Value], read_file: ReadFile) -> Iterator[Refusal]:
    for name, service in _maps(config.get("services")):
        path: Path = ("services", name)
        for check in (_counts, _sizes, _lists, _commands, _ulimits, _volumes):
            yield from check(service, path)
        yield from _times(service, path)
        if "shm_size" in service and isinstance(service["shm_size"], int | float):
            yield Refusal(VALUE, (*path, "shm_size"), "must be a string such as '64M'")
        yield from _env_files(service, path, read_file)


def _counts(service: dict[str, Value], path: Path) -> Iterator[Refusal]:
    for steps in _COUNTS:
        count = at(service, *steps)
        if isinstance(count, int | float) and count < 0:
            yield Refusal(VALUE, (*path, *steps), f"{count} is negative")


def _lists(service: dict[str, Value], path: Path) -> Iterator[Refusal]:
    """Negative numbers in lists of maps."""
    for section, keys in (
        ("configs", ("mode",)),
        ("secrets", ("mode",)),
        ("ports", ("target", "published")),
    ):
        entries = service.get(section)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            for key in keys:
                number = at(entry, key)
                if isinstance(number, int | float) and number < 0:
                    yield Refusal(VALUE, (*path, section, index, key), f"{number} is negative")
            if section == "ports" and isinstance(entry, float):
                yield Refusal(VALUE, (*path, section, index), "a port is a whole number")


def _sizes(service: dict[str, Value], path: Path) -> Iterator[Refusal]:
    for steps in _SIZES:
        yield from _read(quantities.size, at(service, *steps), (*path, *steps))


def _commands(service: dict[str, Value], path: Path) -> Iterator[Refusal]:
    for key in ("command", "entrypoint"):
        yield from _read(specs.check_words, service.get(key), (*path, key))


def _read(read: Callable[[str], object], text: Value, path: Path) -> Iterator[Refusal]:
    if not isinstance(text, str):
        return
    try:
        read(text)
    except ValueError as fault:
        yield Refusal(VALUE, path, str(fault))


def _ulimits(service: dict[str, Value], path: Path) -> Iterator[Refusal]:
    ulimits = service.get("ulimits")
    for name, limit in ulimits.items() if isinstance(ulimits, dict) else ():
        numbers = list(limit.values()) if isinstance(limit, dict) else [limit]
        if any(not isinstance(number, int) or isinstance(number, bool) for number in numbers):
            words = "must be a whole number, or a map of soft and hard"
            yield Refusal(VALUE, (*path, "ulimits", name), words)


def _volumes(service: dict[str, Value], path: Path) -> Iterator[Refusal]:
    volumes = service.get("volumes")
    for index, entry in enumerate(volumes if isinstance(volumes, list) else ()):
        place = (*path, "volumes", index)
        yield from _read(specs.volume, entry, place)
        if at(entry, "type") == "bind" and not at(entry, "source"):
            yield Refusal(VALUE, place, "a bind mount needs a source")


def _env_files(service: dict[str, Value], path: Path, read_file: ReadFile) -> Iterator[Refusal]:
    listed = service.get("env_file")
    names = [listed] if isinstance(listed, str) else listed
    for index, name in enumerate(names if isinstance(names, list) else ()):
        if not isinstance(name, str):
            continue
        place = (*path, "env_file", *((index,) if isinstance(listed, list) else ()))
        data = read_file(name)
        if data is None:
            words = f"there is no file {name!r} beside the compose file: docker stack stops here"
            yield Refusal(ENV_FILE, place, words)
            continue
        try:
            specs.check_env_file(data)
        except specs.SpecError as fault:
            yield Refusal(ENV_FILE, place, f"{name}: {fault}")


# Maps whose values Go writes out whatever they are.
_FREE = frozenset(("environment", "labels", "args", "extra_hosts", "sysctls", "options"))
_FREE_ALSO = frozenset(("driver_opts", "segments", "expose"))


def _times(value: Value, path: Path) -> Iterator[Refusal]:
    """Scalars like 2001-01-01 where a string belongs: YAML makes them times."""
    if isinstance(value, Timestamp):
        yield Refusal(VALUE, path, "YAML reads this as a time: quote it to make it a string")
        return
    free = path[-1] in _FREE | _FREE_ALSO
    if isinstance(value, dict) and not free:
        for key, item in value.items():
            if not key.startswith("x-"):
                yield from _times(item, (*path, key))
    elif isinstance(value, list) and path[-1] != "expose":
        for index, item in enumerate(value):
            yield from _times(item, (*path, index))


# --- networks, volumes, secrets and configs -------------------------------------------------------


def _objects(config: Mapping[str, Value]) -> Iterator[Refusal]:
    for section in ("networks", "volumes", "secrets", "configs"):
        for name, entry in _maps(config.get(section)):
            path: Path = (section, name)
            yield from _times(entry, path)
            yield from _capacity(entry, path)
            external = entry.get("external")
            if external is True or isinstance(external, dict):
                yield from _external(section, entry, path)
            elif section in ("secrets", "configs") and entry.get("driver") and entry.get("file"):
                words = "driver and file exclude each other"
                yield Refusal(VALUE, (*path, "file"), words, on_value=False)
    yield from _odd_networks(config.get("networks"))


def _external(section: str, entry: dict[str, Value], path: Path) -> Iterator[Refusal]:
    if section == "volumes":
        for key in ("driver", "driver_opts", "labels"):
            if entry.get(key):
                words = f"an external volume cannot have {key}"
                yield Refusal(VALUE, (*path, key), words, on_value=False)
    if at(entry, "external", "name") and entry.get("name"):
        words = "external.name and name exclude each other; keep name"
        yield Refusal(VALUE, (*path, "name"), words, on_value=False)


def _capacity(entry: dict[str, Value], path: Path) -> Iterator[Refusal]:
    for key in ("required_bytes", "limit_bytes"):
        steps = ("x-cluster-spec", "capacity_range", key)
        yield from _read(quantities.size, at(entry, *steps), (*path, *steps))


def _odd_networks(networks: Value) -> Iterator[Refusal]:
    """The schema overlooks networks with odd names, but the decoder wants a map there too."""
    for name, entry in networks.items() if isinstance(networks, dict) else ():
        if entry is not None and not isinstance(entry, dict):
            yield Refusal(VALUE, ("networks", name), "must be a map or empty")


def _not_json(value: Value, path: Path) -> Iterator[Refusal]:
    """Infinities and NaN: Docker sends the file through JSON, which has none."""
    if isinstance(value, float) and value - value != 0:
        yield Refusal(VALUE, path, "not a finite number")
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _not_json(item, (*path, key))
