"""The container of the docker-registry that keeps the images of the lab's ECR."""

from __future__ import annotations

import contextlib
import socket

import docker
from docker.errors import NotFound

from swarmctl.lab.machine import LAB_LABEL


def container_name(lab: str) -> str:
    """The container's name."""
    return f"swarmctl-{lab}-ecr"


def start(client: docker.DockerClient, lab: str, image: str) -> str:
    """Start an empty registry; replace what an earlier attempt has left.

    Args:
        client: the Engine.
        lab: the lab's name.
        image: one with docker-registry in it.

    Returns:
        Its address on this computer.
    """
    name = container_name(lab)
    with contextlib.suppress(NotFound):  # there was no earlier attempt
        client.containers.get(name).remove(force=True, v=True)
    # Chosen here: the Engine would choose another one at each start of the container.
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
    client.containers.run(
        image,
        name=name,
        detach=True,
        # On loopback only: it asks for no password, the gateway before it does.
        ports={"5000/tcp": ("127.0.0.1", port)},
        environment={
            "REGISTRY_HTTP_RELATIVEURLS": "true",  # it is not reached under its own address
            "REGISTRY_STORAGE_DELETE_ENABLED": "true",
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/var/lib/ecr",
        },
        labels={LAB_LABEL: lab},
    )
    return f"127.0.0.1:{port}"
