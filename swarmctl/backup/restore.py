"""Put a backup on an empty manager, and tidy up once it leads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from swarmctl.backup.age import Key, decrypt
from swarmctl.backup.engine_state import begin_anew
from swarmctl.backup.manifest import Manifest
from swarmctl.backup.pipe import send
from swarmctl.backup.refusals import Machine
from swarmctl.backup.take import Nodes
from swarmctl.errors import SwarmctlError
from swarmctl.moves.earlier import forgotten
from swarmctl.swarm.engine import Engine, Json, change_node, delete
from swarmctl.wait import wait_for

_STREAM_S = 1800.0
_ASK_S = 60.0
_AT_ONCE = 16
_MARK = "restored-from"  # until the restore is finished, so that it can be repeated

_LOOK = f"""
command -v docker > /dev/null || {{ echo '{{}}'; exit 0; }}
timeout 50 docker info --format '{{{{json .}}}}' || exit
root=$(docker info --format '{{{{.DockerRootDir}}}}')
[ ! -e "$root/swarm/{_MARK}" ] || cat "$root/swarm/{_MARK}"
"""

# What is there is not looked at again: the caller has shown that it is nothing, or half a restore.
# The Engine is stopped only when all is there, with the mark, and starts again in any case: a
# restore that was cut off finds a machine that answers. Not every Engine has a socket unit.
_PUT = """
set -eu
root=$(docker info --format '{{{{.DockerRootDir}}}}')
new=$root/swarm.restored
rm -rf "$new"
mkdir -m 700 "$new"
tar -C "$new" -xzf -
echo {name} > "$new/swarm/{mark}"
sync
trap 'systemctl start docker.service' EXIT
systemctl stop docker.socket 2>/dev/null || :
systemctl stop docker.service
rm -rf "$root/swarm"
mv "$new/swarm" "$root/swarm"
rmdir "$new"
"""
_UNMARK = f"""rm -f "$(docker info --format '{{{{.DockerRootDir}}}}')/swarm/{_MARK}" """


class Instance(Protocol):
    """A machine as EC2 knows it."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def private_ip(self) -> str: ...


def survey(nodes: Nodes, instances: Iterable[Instance]) -> tuple[Machine, ...]:
    """Ask every running machine of a cluster which Swarm it is in, all at the same time."""

    def ask(instance: Instance) -> Machine:
        known = (instance.name, instance.role, instance.state, instance.private_ip)
        if instance.state != "running":
            return Machine(*known)
        try:
            answer = nodes.shell.run(instance.name, _LOOK, _ASK_S)
        except SwarmctlError as fault:
            return Machine(*known, silent=fault.message)
        return machine_of(known, answer)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return tuple(pool.map(ask, instances))


def machine_of(known: tuple[str, str, str, str], answer: str) -> Machine:
    """A machine from ``docker info`` as JSON, and the backup that is being restored on it."""
    text, _, mark = answer.partition("\n")
    try:
        info: Any = json.loads(text)
        swarm = info.get("Swarm") or {}
    except (ValueError, AttributeError):
        return Machine(*known, silent="its Engine gave an answer that cannot be read")
    return Machine(
        *known,
        engine=info.get("ServerVersion") or "",
        swarm_state=swarm.get("LocalNodeState") or "inactive",
        manager=bool(swarm.get("ControlAvailable")),
        swarm_id=(swarm.get("Cluster") or {}).get("ID") or "",
        node_id=swarm.get("NodeID") or "",
        restored=mark.strip(),
    )


def restore(
    nodes: Nodes,
    target: Machine,
    manifest: Manifest,
    archive: Path,
    keys: Sequence[Key],
    key_file: str,
    note: Callable[[str], None],
) -> None:
    """Put the state on the target and make it the only manager; what is done already stays.

    Args:
        nodes: how the nodes are reached.
        target: nothing speaks against it (:mod:`swarmctl.backup.refusals`).
        manifest: of the backup.
        archive: the checked, encrypted file.
        keys: that decrypt it.
        key_file: of an autolocked manager, without its lock; else ``""``.
        note: called with a line for each step.

    Raises:
        SwarmctlError: it failed; the same call goes on.
    """
    if target.swarm_id == manifest.swarm_id:
        note(f"{target.name} leads the restored Swarm already")
        return
    note(f"{target.name}: the state is put in place")
    where = manifest.archive.name
    with archive.open("rb") as source:
        send(
            nodes.endpoint(target.name),
            put_script(manifest),
            lambda sink: decrypt(source, sink, keys, where),
            _STREAM_S,
        )
    note(f"{target.name}: the Engine starts, and the Swarm begins anew with this manager")
    begin_anew(
        lambda script, seconds: nodes.shell.run(target.name, script, seconds),
        manifest.swarm_id,
        target.address,
        manifest.node.data_path_port,
        key_file,
    )


def put_script(manifest: Manifest) -> str:
    """What reads the state from standard input, on the machine that gets it."""
    return _PUT.format(name=manifest.name, mark=_MARK)


def tidy(engine: Engine, manifest: Manifest, note: Callable[[str], None]) -> None:
    """Remove the entries of the other managers, and undo the drain that the backup made.

    Managers that died or left come back under new ids; workers keep theirs.
    """
    own = manifest.node.id

    def leads() -> tuple[bool | None, str]:
        try:
            status = engine.get(f"/nodes/{own}").get("ManagerStatus") or {}
        except SwarmctlError as fault:
            return None, fault.message
        return (True if status.get("Leader") else None), "it does not lead yet"

    wait_for(f"{manifest.node.name} to lead", leads, timeout=60, interval=0.5)
    change_node(engine, own, partial(forgotten, given_back=True))
    for node in engine.get("/nodes"):
        if node["ID"] != own and node["Spec"]["Role"] == "manager" and not _member(node):
            note(f"{node['Description']['Hostname']}: its old entry as a manager is removed")
            delete(engine, f"/nodes/{node['ID']}?force=1")


def _member(node: Json) -> bool:
    """Whether a manager is one of the restored Swarm: only those have this part."""
    return bool(node.get("ManagerStatus"))


def finish(
    engine: Engine, nodes: Nodes, manifest: Manifest, note: Callable[[str], None]
) -> tuple[str, ...]:
    """Remove the old entries of machines that joined anew; the names of nodes that are missing."""
    entries = engine.get("/nodes")
    ready = {n["Description"]["Hostname"] for n in entries if n["Status"]["State"] == "ready"}
    missing = []
    for node in entries:
        name = node["Description"]["Hostname"]
        if node["Status"]["State"] == "ready":
            continue
        if name in ready:
            note(f"{name}: its old entry is removed; it joined anew")
            delete(engine, f"/nodes/{node['ID']}?force=1")
        else:
            missing.append(name)
    nodes.shell.run(manifest.node.name, _UNMARK)
    return tuple(missing)
