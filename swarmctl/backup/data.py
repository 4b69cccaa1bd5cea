"""Data of services: a volume as it is, or what a command in the service's container writes."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from swarmctl.backup.age import Key, decrypt, encrypt
from swarmctl.backup.archive import Hashed
from swarmctl.backup.manifest import DataCopy
from swarmctl.backup.pipe import receive, send
from swarmctl.backup.store.store import Store
from swarmctl.backup.take import Nodes
from swarmctl.errors import RefusedError, SwarmctlError, UsageError
from swarmctl.reading.names import unknown
from swarmctl.swarm.model import Swarm, Task

_STREAM_S = 4 * 3600.0

_CONTAINER = """
set -eu
container=$(docker ps --quiet --no-trunc --filter label=com.docker.swarm.task.id={task})
[ -n "$container" ] || {{ echo 'its container does not run any more' >&2; exit 1; }}
"""
_FOLDER = "$(docker volume inspect --format '{{{{.Mountpoint}}}}' {volume})"


@dataclass(frozen=True, slots=True)
class Source:
    """Data to copy, as the setting ``backup_volumes`` has it.

    Attributes:
        name: in the backup.
        service: whose it is.
        volume: to be copied; then there is no dump.
        pre: a command in the service's container before the volume is copied.
        post: a command in it afterwards, also after a failure.
        dump: a command in it whose output is kept.
        load: a command in it that reads such an output.
    """

    name: str
    service: str
    volume: str = ""
    pre: str = ""
    post: str = ""
    dump: str = ""
    load: str = ""


def sources(text: str) -> tuple[Source, ...]:
    """The setting ``backup_volumes`` from JSON.

    Raises:
        UsageError: it has another form.
    """
    try:
        found = msgspec.json.decode(text or "[]", type=tuple[Source, ...])
    except msgspec.DecodeError as fault:
        raise UsageError(f"backup_volumes cannot be read: {fault}") from fault
    names = [source.name for source in found]
    for source in found:
        allowed = re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,40}", source.name)
        if not allowed or names.count(source.name) > 1:
            raise UsageError(
                f"backup_volumes has the name {source.name!r}",
                "allowed: small letters, digits, _ and -, each name once",
            )
        if bool(source.volume) == bool(source.dump):
            raise UsageError(f"backup_volumes {source.name}: give either volume or dump")
    return found


def placed(swarm: Swarm, source: Source) -> Task:
    """The task that has the data.

    Raises:
        UsageError: there is no such service.
        RefusedError: none serves, or several have a volume of that name each.
    """
    service = swarm.service_by_name(source.service)
    if service is None:
        raise unknown("service", source.service, (s.name for s in swarm.services))
    tasks = swarm.serving(service)
    if not tasks:
        raise RefusedError(
            f"{source.name}: no replica of {service.name} serves", "swarmctl status shows why"
        )
    nodes = {task.node_id for task in tasks}
    if source.volume and len(nodes) > 1:
        raise RefusedError(
            f"{source.name}: {service.name} runs on {len(nodes)} nodes, each with its own volume",
            "only the volume of a service on one node can be copied; or give a dump command",
        )
    return min(tasks, key=lambda task: task.id)


def copy_script(source: Source, task: Task) -> str:
    """What writes the data to standard output, on the task's node."""
    script = _CONTAINER.format(task=shlex.quote(task.id))
    if source.dump:
        return script + f'docker exec "$container" sh -c {shlex.quote(source.dump)}\n'
    if source.post:
        post = f'docker exec "$container" sh -c {shlex.quote(source.post)} >&2'
        script += f"post() {{\n{post}\n}}\ntrap post EXIT\n"
    if source.pre:
        script += f'docker exec "$container" sh -c {shlex.quote(source.pre)} >&2\n'
    folder = _FOLDER.format(volume=shlex.quote(source.volume))
    return script + f'tar -C "{folder}" -czf - .\n'


def load_script(source: Source, copy: DataCopy, task: Task | None) -> str:
    """What reads the data from standard input, on the node that it belongs to."""
    if copy.volume:
        volume = shlex.quote(copy.volume)
        folder = _FOLDER.format(volume=volume)
        return f"""
set -eu
docker volume create {volume} > /dev/null
used=$(docker ps --format '{{{{.Names}}}}' --filter volume={volume})
[ -z "$used" ] || {{ echo "$used uses the volume: scale the service to 0 first" >&2; exit 1; }}
folder="{folder}"
find "$folder" -mindepth 1 -delete
tar -C "$folder" -xzf -
"""
    if task is None:
        raise SwarmctlError(f"{copy.name}: no replica of {copy.service} serves")
    if not source.load:
        raise UsageError(f"backup_volumes {copy.name} has no command `load`")
    script = _CONTAINER.format(task=shlex.quote(task.id))
    return script + f'docker exec -i "$container" sh -c {shlex.quote(source.load)} > /dev/null\n'


def copy_all(
    swarm: Swarm,
    nodes: Nodes,
    wanted: Sequence[Source],
    name: str,
    keys: Sequence[Key],
    store: Store,
    note: Callable[[str], None],
) -> tuple[DataCopy, ...]:
    """Copy the data into a store, encrypted on the way.

    Args:
        swarm: a snapshot.
        nodes: how the nodes are reached.
        wanted: what to copy.
        name: of the backup.
        keys: for which to encrypt.
        store: where to.
        note: called with a line for each step.

    Raises:
        SwarmctlError: one could not be copied.
    """
    where = [(source, placed(swarm, source)) for source in wanted]
    return tuple(_copy(swarm, nodes, s, task, name, keys, store, note) for s, task in where)


def _copy(
    swarm: Swarm,
    nodes: Nodes,
    source: Source,
    task: Task,
    name: str,
    keys: Sequence[Key],
    store: Store,
    note: Callable[[str], None],
) -> DataCopy:
    node = hostname(swarm, task)
    note(f"{source.name}: {source.volume or source.dump} of {source.service} on {node}")
    with tempfile.TemporaryDirectory(prefix="swarmctl-backup-") as folder:
        path = Path(folder) / "data"
        target = Hashed(path)
        receive(
            nodes.endpoint(node),
            copy_script(source, task),
            lambda reader: encrypt(reader, target, keys),
            _STREAM_S,
        )
        file = target.finish(f"{name}.{source.name}.age")
        store.files.upload(path, file.name)
    return DataCopy(source.name, source.service, source.volume, node, file)


def load(
    swarm: Swarm,
    nodes: Nodes,
    source: Source,
    copy: DataCopy,
    path: Path,
    keys: Sequence[Key],
    node: str = "",
) -> str:
    """Put data back; what is there is overwritten.

    Args:
        swarm: a snapshot.
        nodes: how the nodes are reached.
        source: the setting.
        copy: the backup's.
        path: the checked, encrypted file.
        keys: that decrypt it.
        node: where the volume is to be; ``""``: where it was.

    Returns:
        The node's name.

    Raises:
        SwarmctlError: it failed.
    """
    service = swarm.service_by_name(copy.service)
    task = min(swarm.serving(service), key=lambda t: t.id, default=None) if service else None
    where = node or (copy.node if copy.volume or task is None else hostname(swarm, task))
    with path.open("rb") as source_file:
        send(
            nodes.endpoint(where),
            load_script(source, copy, task),
            lambda sink: decrypt(source_file, sink, keys, copy.file.name),
            _STREAM_S,
        )
    return where


def hostname(swarm: Swarm, task: Task) -> str:
    """The name of a task's node."""
    node = swarm.node_by_id(task.node_id)
    return node.hostname if node else task.node_id
