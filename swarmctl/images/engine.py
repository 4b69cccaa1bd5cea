"""The Docker Engine of this machine, which builds and pushes images."""

from __future__ import annotations

import os
import shutil

import docker
import docker.errors
from docker.context import ContextAPI

from swarmctl.errors import SwarmctlError
from swarmctl.reading.texts import one_line

#: A registry that serves Docker Hub's images under the names that they have there.
MIRROR_VARIABLE = "SWARMCTL_IMAGE_MIRROR"

# Seconds between two messages of a pull or push.
_TIMEOUT_S = 120
_MAX_REASON = 400
_INSTALL = (
    "install Docker (https://docs.docker.com/engine/install/) or start it: systemctl start docker; "
    "on Debian and Ubuntu `swarmctl lab doctor --fix` does both"
)


def local_engine() -> docker.DockerClient:
    """The Engine that the docker CLI uses: ``$DOCKER_HOST``, else that of its context.

    Raises:
        SwarmctlError: Docker is not installed here, or its Engine does not answer.
    """
    if shutil.which("docker") is None:
        raise SwarmctlError(
            "Docker builds and pushes images, and it is not installed here",
            _INSTALL,
        )
    try:
        if os.environ.get("DOCKER_HOST"):
            client = docker.from_env(timeout=_TIMEOUT_S)
        else:
            context = ContextAPI.get_context(os.environ.get("DOCKER_CONTEXT") or None)
            if context is None:
                raise ValueError("there is no such Docker context: docker context ls")
            client = docker.DockerClient(context.Host, tls=context.TLSConfig, timeout=_TIMEOUT_S)
        client.ping()
    except (docker.errors.DockerException, OSError, ValueError) as fault:
        raise SwarmctlError(
            f"the Docker Engine of this machine does not answer: "
            f"{one_line(str(fault), _MAX_REASON)}",
            _INSTALL,
        ) from fault
    return client
