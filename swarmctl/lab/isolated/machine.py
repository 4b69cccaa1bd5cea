"""One machine on no network: what is started on it reaches nobody, and nobody reaches it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import BinaryIO

import docker
from docker.models.containers import Container

from swarmctl.errors import SwarmctlError
from swarmctl.lab.image.ensure import ensure_images
from swarmctl.lab.lab import Note, engine
from swarmctl.lab.machine import machine_host, run_inside
from swarmctl.reading.texts import one_line

LABEL = "swarmctl.isolated"
_BOOT_S = 90

# A cable without a far end: an Engine wants an interface that has its Swarm's address, and a way
# to the other nodes. The kernel need not have the module `dummy`. Names are refused at once: Swarm
# asks a registry first, also for an image that it has.
_BOOT = """
for _ in $(seq {tries}); do
  docker version > /dev/null 2>&1 && break
  sleep 0.2
done
set -eu
docker version > /dev/null
echo 'nameserver 127.0.0.1' > /etc/resolv.conf
ip link add swarm0 type veth peer name swarm1
ip addr add {address}/32 dev swarm0
ip link set swarm0 up
ip link set swarm1 up
ip route add default dev swarm0
"""

_SCRIPT = ("sh", "-c", 'eval "$SCRIPT"')


@dataclass(frozen=True, slots=True)
class Isolated:
    """The machine, while it exists."""

    client: docker.DockerClient
    container: Container

    def run(self, script: str, timeout_s: float) -> str:
        """Run a script for ``sh`` as root; its output.

        It is no argument of a command: every user of this computer can read those.

        Raises:
            SwarmctlError: it failed, or did not end in time.
        """
        code, output = run_inside(
            self.client, self.container, _SCRIPT, timeout_s, {"SCRIPT": script}
        )
        text = output.decode(errors="replace")
        if code != 0:
            raise SwarmctlError(f"in the lab, a command ended with {code}: {one_line(text, 500)}")
        return text

    def unpack(self, archive: BinaryIO, folder: str) -> None:
        """Unpack a tar archive (with gzip or without) into a folder."""
        chunks = iter(lambda: archive.read(2**16), b"")
        # The SDK's types know bytes only; requests sends what an iterator gives.
        if not self.client.api.put_archive(self.container.id, folder, chunks):  # type: ignore[arg-type]
            raise SwarmctlError(f"the archive could not be unpacked into {folder}")


@contextmanager
def isolated_machine(hostname: str, address: str, note: Note) -> Iterator[Isolated]:
    """A machine with an Engine, removed at the end with all its data.

    Args:
        hostname: its name.
        address: which it believes to have.
        note: called with the progress of building images.

    Raises:
        SwarmctlError: it does not boot.
    """
    client = engine()
    address = str(ip_address(address))
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", hostname):
        raise SwarmctlError(f"{hostname!r} is no host name")
    image = ensure_images(client, note).node
    remove_abandoned(client)
    made = client.api.create_container(
        image,
        hostname=hostname,
        tty=True,
        stop_signal="SIGRTMIN+3",
        volumes=["/var/lib/docker"],
        labels={LABEL: str(os.getpid())},
        host_config=machine_host(client, network_mode="none"),
    )
    container = client.containers.get(made["Id"])
    try:
        container.start()
        machine = Isolated(client, container)
        machine.run(_BOOT.format(tries=_BOOT_S * 5, address=address), _BOOT_S + 20)
        yield machine
    finally:
        container.remove(force=True, v=True)


def remove_abandoned(client: docker.DockerClient) -> None:
    """Remove machines whose process was killed: they hold what was restored on them."""
    for left in client.containers.list(all=True, filters={"label": LABEL}):
        if not _lives(int(left.labels[LABEL])):
            left.remove(force=True, v=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
