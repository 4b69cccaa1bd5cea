"""The machine of a load balancer: a container with HAProxy and the agent, and the line to it."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker

from swarmctl.lab.machine import FIREWALL_FILE, LAB_LABEL, container_name, remove, tar

BALANCER_LABEL = "swarmctl.balancer"
_PACKAGE = Path(__file__).parent
_AGENT = ("agent", "haproxy", "health")
_STDOUT = 1
SEND_TIMEOUT = 5  # seconds: a machine that is paused reads nothing
# The security groups come first: nothing listens before.
_START = (
    f"nft -f {FIREWALL_FILE} && PYTHONPATH=/opt/lab exec python3 -m swarmctl.lab.balancer.agent"
)


@dataclass(frozen=True, slots=True)
class BalancerSpec:
    """Everything needed to create the machine."""

    lab: str
    id: str
    image: str
    network: str
    ip: str
    firewall: str  # a script for nft


def states(client: docker.DockerClient, lab: str) -> dict[str, str]:
    """The container state of every load balancer's machine by id."""
    label = [f"{LAB_LABEL}={lab}", BALANCER_LABEL]
    listing = client.api.containers(all=True, filters={"label": label})
    return {c["Labels"][BALANCER_LABEL]: c["State"] for c in listing}


def start(
    client: docker.DockerClient, spec: BalancerSpec, heard: Callable[[dict[str, Any]], None]
) -> Line:
    """Create and start the machine; replace what an earlier attempt has left.

    Args:
        client: the Engine.
        spec: the machine.
        heard: called with each report of the agent, in another thread.
    """
    remove(client, spec.lab, spec.id)
    host = client.api.create_host_config(cap_add=["NET_ADMIN"])
    endpoint = client.api.create_endpoint_config(ipv4_address=spec.ip)
    container = client.api.create_container(
        spec.image,
        ["sh", "-c", _START],
        name=container_name(spec.lab, spec.id),
        hostname=spec.id,
        stdin_open=True,
        labels={LAB_LABEL: spec.lab, BALANCER_LABEL: spec.id},
        host_config=host,
        networking_config=client.api.create_networking_config(
            {spec.network: endpoint}  # type: ignore[arg-type]  # its stub has no mapping by network
        ),
    )
    folder = "opt/lab/swarmctl/lab/balancer"
    sources = [(f"{folder}/{n}.py", (_PACKAGE / f"{n}.py").read_bytes()) for n in _AGENT]
    files = [(path, content, 0o644, 0) for path, content in sources]
    files.append((FIREWALL_FILE[1:], spec.firewall.encode(), 0o600, 0))
    client.api.put_archive(container["Id"], "/", tar(files))
    line = Line(client, container["Id"], heard)
    client.api.start(container["Id"])
    return line


class Line:
    """The agent's standard input and output, by way of the Engine."""

    def __init__(
        self, client: docker.DockerClient, container: str, heard: Callable[[dict[str, Any]], None]
    ) -> None:
        """Attach to a container that has not been started yet."""
        params = {"stdin": 1, "stdout": 1, "stream": 1}
        self._stream: Any = client.api.attach_socket(container, params=params)
        self._socket: Any = self._stream._sock
        self._socket.settimeout(None)  # for reading
        limit = struct.pack("ll", SEND_TIMEOUT, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self._sent = ""
        self._heard = heard
        threading.Thread(target=self._listen, daemon=True, name="balancer").start()

    def send(self, wanted: Mapping[str, Any]) -> None:
        """Tell the agent what is wanted, unless it knows it.

        Raises:
            OSError: the machine has ended, or does not read; the line is of no use any more.
        """
        text = json.dumps(wanted)
        if text != self._sent:
            self._socket.sendall(f"{text}\n".encode())
            self._sent = text

    def _listen(self) -> None:
        rest = b""
        try:
            for block in _frames(self._stream):
                *lines, rest = (rest + block).split(b"\n")
                for line in lines:
                    self._heard(json.loads(line))
        except OSError:
            return  # the machine has ended: the next pass sees it


def _frames(stream: Any) -> Iterator[bytes]:
    """The output of a container without a terminal: blocks after a header of eight bytes.

    https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
    """
    while len(header := _exactly(stream, 8)) == 8:
        kind, size = struct.unpack(">BxxxL", header)
        block = _exactly(stream, size)
        if kind == _STDOUT:
            yield block


def _exactly(stream: Any, size: int) -> bytes:
    found = b""
    while len(found) < size and (more := stream.read(size - len(found))):
        found += more
    return found
