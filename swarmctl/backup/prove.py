"""Restore a backup on a machine that no other can reach, and compare every object."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from docker.constants import DEFAULT_DOCKER_API_VERSION

from swarmctl.backup.age import Key, decrypted
from swarmctl.backup.engine_state import begin_anew
from swarmctl.backup.manifest import Manifest, Object, Proof
from swarmctl.backup.objects import differences, objects_of
from swarmctl.backup.refusals import release
from swarmctl.errors import RefusedError, SwarmctlError

_ROOT = "/var/lib/docker"
_READ_S = 60.0

# An image of nothing but links into /usr, which is mounted: no registry is needed. The task writes
# the names of the secrets that it can read.
_READ = """
set -eu
docker node update --availability active {node} > /dev/null
tar -C / -cf - bin lib lib64 | docker import - swarmctl-proof > /dev/null
out=/run/swarmctl-proof
rm -rf $out
mkdir $out
docker service create --quiet --detach --no-resolve-image --name swarmctl-proof \\
  --restart-condition none --constraint node.id=={node} {secrets} \\
  --mount type=bind,source=/usr,target=/usr,readonly --mount type=bind,source=$out,target=/out \\
  swarmctl-proof sh -c 'cd /run/secrets; for s in *; do [ -s $s ] && echo $s; done > /out/part
    mv /out/part /out/read' > /dev/null
for _ in $(seq 150); do
  [ -e $out/read ] && break
  sleep 0.2
done
cat $out/read || docker service ps --no-trunc --format '{{{{.Error}}}}' swarmctl-proof >&2
"""


class LabMachine(Protocol):
    """A machine with an Engine, on no network."""

    def run(self, script: str, timeout_s: float) -> str: ...
    def unpack(self, archive: BinaryIO, folder: str) -> None: ...


@dataclass(frozen=True, slots=True)
class _Api:
    """The Engine API of the machine, in the form that the manifest was made from."""

    machine: LabMachine

    def get(self, path: str, **filters: list[str]) -> Any:
        query = f" --data-urlencode filters='{json.dumps(filters)}'" if filters else ""
        url = f"http://engine/v{DEFAULT_DOCKER_API_VERSION}{path}"
        curl = f"curl -sS --fail --max-time 20 --unix-socket /var/run/docker.sock -G{query} {url}"
        return json.loads(self.machine.run(curl, 30.0))


def prove(
    manifest: Manifest,
    archive: Path,
    keys: Sequence[Key],
    key_file: str,
    machine: Callable[[str, str], AbstractContextManager[LabMachine]],
    note: Callable[[str], None],
) -> Proof:
    """Restore a checked backup, compare it with its manifest, and read its secrets.

    Args:
        manifest: of the backup.
        archive: the checked, encrypted file.
        keys: that decrypt it.
        key_file: of an autolocked manager, without its lock; else ``""``.
        machine: makes a machine of this name with this address, and removes it.
        note: called with a line for each step.

    Raises:
        RefusedError: the lab's Engine is older than the backup's.
        SwarmctlError: the restore failed.
    """
    began = time.monotonic()
    with machine(manifest.node.name, manifest.node.address) as lab:
        engine = lab.run("docker version --format '{{.Server.Version}}'", 30.0).strip()
        if release(engine) < release(manifest.engine):
            raise RefusedError(
                f"the lab's Engine is {engine}, the backup is of {manifest.engine}: an older "
                "Engine may not read the state of a newer one",
                "restore it on a machine of your own with that Engine, on another network",
            )
        note("the state is put in place")
        lab.run("systemctl stop docker.socket docker.service", 60.0)
        with decrypted(archive, keys, manifest.archive.name) as plain:
            lab.unpack(plain, _ROOT)
        note("the Engine starts, and the Swarm begins anew")
        begin_anew(
            lab.run,
            manifest.swarm_id,
            manifest.node.address,
            manifest.node.data_path_port,
            key_file,
        )
        wanted, found = _kept(manifest.objects, manifest), _kept(objects_of(_Api(lab)), manifest)
        unlike = differences(wanted, found)
        note(f"{len(found)} objects compared; the secrets are read")
        unread, read = _read_secrets(lab, manifest, found)
    return Proof(
        backup=manifest.name,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        engine=engine,
        seconds=round(time.monotonic() - began, 1),
        objects=len({*wanted} & {*found}),
        secrets_read=read,
        differences=(*unlike, *unread),
    )


def _kept(objects: Sequence[Object], manifest: Manifest) -> tuple[Object, ...]:
    """Without what changed while the state was copied: either form of it may be there."""
    return tuple(o for o in objects if o.id not in manifest.changed)


def _read_secrets(
    lab: LabMachine, manifest: Manifest, found: Sequence[Object]
) -> tuple[list[str], int]:
    """A sentence for each secret that a container could not read; how many it could."""
    secrets = [o for o in found if o.kind == "secret"]
    if not secrets:
        return [], 0
    words = " ".join(f"--secret source={one.name},target={one.id}" for one in secrets)
    script = _READ.format(node=manifest.node.id, secrets=words)
    try:
        read = set(lab.run(script, _READ_S).split())
    except SwarmctlError as fault:
        return [f"the secrets could not be read: {fault.message}"], 0
    unread = [o for o in secrets if o.id not in read]
    return [f"secret {o.name} ({o.id}) cannot be read" for o in unread], len(secrets) - len(unread)
