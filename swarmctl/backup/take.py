"""Copy the state of a manager whose Engine is stopped, and encrypt it on the way."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from swarmctl.backup.age import Key, encrypt
from swarmctl.backup.archive import Hashed
from swarmctl.backup.choose import Choice
from swarmctl.backup.engine_state import unlock
from swarmctl.backup.manifest import ARCHIVE, Manifest, TakenFrom
from swarmctl.backup.objects import objects_of
from swarmctl.backup.pipe import receive
from swarmctl.backup.store.retention import name_of
from swarmctl.backup.store.store import Store
from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.swarm.engine import Engine
from swarmctl.swarm.shell import Shells
from swarmctl.swarm.ssh import Endpoint
from swarmctl.wait import wait_for

WORK = "/run/swarmctl-backup"  # memory: gone with a reboot
_BACK_S = 60.0
_COPY_S = 10
_STREAM_S = 1800.0

# What speaks against it, before anything is stopped.
_LOOK = """
set -eu
root=$(docker info --format '{{.DockerRootDir}}')
echo "need $(du -sk "$root/swarm" | cut -f1)"
echo "room $(df -Pk /run | awk 'END {print $4}')"
docker ps --format 'container {{.Names}} {{.Label "com.docker.swarm.task.id"}}'
"""

# Timers first: the Engine starts again and the copy goes even if this script is killed. There are
# none of an earlier backup, or they have ended, and not every Engine has a socket unit: so the
# complaints about units.
_COPY = f"""
set -eu
work={WORK}
root=$(docker info --format '{{{{.DockerRootDir}}}}')
systemctl stop swarmctl-backup-start.timer swarmctl-backup-clean.timer 2>/dev/null || :
rm -rf "$work"
mkdir -m 700 "$work"
systemd-run --quiet --collect --unit=swarmctl-backup-start --on-active=45 \\
  --timer-property=AccuracySec=1s systemctl start docker.service
systemd-run --quiet --collect --unit=swarmctl-backup-clean --on-active={int(_STREAM_S) + 60} \\
  rm -rf "$work"
trap 'systemctl start docker.service' EXIT
began=$(date +%s%N)
systemctl stop docker.socket 2>/dev/null || :
systemctl stop docker.service
timeout {_COPY_S} tar -C "$root" --exclude='*.tmp' -I 'gzip -1' -cf "$work/swarm.tar.gz" swarm || {{
  echo "copying $root/swarm failed or took more than {_COPY_S} s" >&2
  exit 1
}}
systemctl start docker.service
trap - EXIT
docker version --format '{{{{.Server.Version}}}}'
echo $(( ($(date +%s%N) - began) / 1000000 ))
"""

# The timers may have ended.
_CLEAN = f"""
systemctl stop swarmctl-backup-start.timer swarmctl-backup-clean.timer 2>/dev/null
rm -rf {WORK}
"""


@dataclass(frozen=True, slots=True)
class Nodes:
    """How nodes are reached.

    Attributes:
        shell: runs scripts.
        endpoints: for streams, by hostname.
    """

    shell: Shells
    endpoints: dict[str, Endpoint]

    def endpoint(self, name: str) -> Endpoint:
        """How to reach a node.

        Raises:
            SwarmctlError: its machine does not run.
        """
        if name not in self.endpoints:
            raise SwarmctlError(f"{name} has no running machine", "swarmctl status names them")
        return self.endpoints[name]


def look(nodes: Nodes, choice: Choice) -> None:
    """Refuse a manager on which something would stop, or that has no room for the copy.

    Raises:
        RefusedError: there is such a thing.
    """
    name = choice.node.hostname
    lines = [line.split() for line in nodes.shell.run(name, _LOOK).splitlines()]
    figures = {line[0]: int(line[1]) for line in lines if line[0] in ("need", "room")}
    if others := [line[1] for line in lines if line[0] == "container" and len(line) == 2]:
        raise RefusedError(
            f"{name}: containers that Swarm does not manage would stop: {', '.join(others)}",
            "choose another manager (-e backup_node=NAME, --node), or stop them",
        )
    if figures["need"] > figures["room"]:
        raise RefusedError(
            f"{name}: the copy may take {figures['need'] // 1024} MiB, and /run has "
            f"{figures['room'] // 1024} MiB free",
            "choose another manager (-e backup_node=NAME, --node)",
        )


def take(
    engine: Engine,
    nodes: Nodes,
    choice: Choice,
    cluster: str,
    keys: Sequence[Key],
    recipients: Sequence[str],
    store: Store,
    moment: datetime,
    note: Callable[[str], None],
) -> Manifest:
    """Copy the state of a manager into a store; its manifest is not kept yet.

    Args:
        engine: the Swarm, through whichever manager answers.
        nodes: how the nodes are reached.
        choice: the manager; its tasks have been moved away.
        cluster: the cluster's name.
        keys: for which to encrypt.
        recipients: the same keys, as text.
        store: where to.
        moment: the name's.
        note: called with a line for each step.

    Raises:
        SwarmctlError: it failed; the Engine runs again, and the store holds no new backup.
    """
    node = choice.node
    endpoint = nodes.endpoint(node.hostname)
    swarm = engine.get("/swarm")
    info = engine.get("/info")
    autolock = bool((swarm["Spec"].get("EncryptionConfig") or {}).get("AutoLockManagers"))
    key = str(engine.get("/swarm/unlockkey")["UnlockKey"]) if autolock else ""
    before = objects_of(engine)
    name = name_of(cluster, moment)
    try:
        note(f"{node.hostname}: the Engine is stopped while the state is copied")
        said = nodes.shell.run(node.hostname, _COPY, _BACK_S).split()
        version, down_ms = said[-2], int(said[-1])
        note(f"{node.hostname}: the Engine answers again after {down_ms / 1000:.1f} s")
        if key:
            unlock(lambda s, t: nodes.shell.run(node.hostname, s, t), key)
        _await_back(engine, node.id, node.hostname)
        # The copy is of a moment in between: what changed meanwhile cannot be compared.
        after = set(objects_of(engine))
        with tempfile.TemporaryDirectory(prefix="swarmctl-backup-") as folder:
            path = Path(folder) / "archive"
            target = Hashed(path)
            receive(
                endpoint,
                f"cat {WORK}/swarm.tar.gz",
                lambda source: encrypt(source, target, keys),
                _STREAM_S,
            )
            file = target.finish(name + ARCHIVE)
            store.files.upload(path, file.name)
    finally:
        with suppress(SwarmctlError):  # the timer on the node removes it
            nodes.shell.run(node.hostname, _CLEAN)
    return Manifest(
        name=name,
        cluster=cluster,
        swarm_id=swarm["ID"],
        taken_at=moment.isoformat(timespec="seconds"),
        engine=version,
        node=TakenFrom(node.hostname, node.id, _address(engine, node.id), _port(info)),
        archive=file,
        autolock=autolock,
        objects=tuple(o for o in before if o in after),
        changed=tuple(sorted({o.id for o in after.symmetric_difference(before)})),
        recipients=tuple(recipients),
        engine_down_s=down_ms / 1000,
    )


def _await_back(engine: Engine, node_id: str, name: str) -> None:
    def back() -> tuple[bool | None, str]:
        with suppress(SwarmctlError):  # an election, or the only manager is not ready yet
            found = engine.get(f"/nodes/{node_id}")
            state = found["Status"]["State"]
            reach = (found.get("ManagerStatus") or {}).get("Reachability", "")
            there = state == "ready" and reach == "reachable"
            return (True if there else None), f"it is {state} and {reach or 'no manager'}"
        return None, "no manager answers"

    wait_for(f"{name} to be a reachable manager again", back, timeout=_BACK_S, interval=0.5)


def _address(engine: Engine, node_id: str) -> str:
    """The address that the other nodes use."""
    address = str(engine.get(f"/nodes/{node_id}")["ManagerStatus"]["Addr"])
    return address.rpartition(":")[0].strip("[]")


def _port(info: dict[str, Any]) -> int:
    """https://docs.docker.com/reference/api/engine/: 0 stands for the default, 4789."""
    return int(((info.get("Swarm") or {}).get("Cluster") or {}).get("DataPathPort") or 4789)
