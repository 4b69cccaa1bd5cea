"""The image mirror: a registry with the application images inside, as one image."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import docker
from docker.models.containers import Container

from swarmctl.errors import SwarmctlError
from swarmctl.lab.image.recipes import LABEL, SERVED
from swarmctl.wait import wait_for

LOG_LINES_IN_ERROR = 25

Note = Callable[[str], None]


def fill_registry(
    client: docker.DockerClient, server: str, reference: str, apps: Mapping[str, str], note: Note
) -> None:
    """Run the empty registry, push the application images into it, and commit the container."""
    note("mirror: pushing httpd:2.4, node:20 and postgres:17 into the registry")
    started = time.monotonic()
    # The Engine accepts plain HTTP for registries on its own loopback addresses.
    container: Container = client.containers.run(
        server, detach=True, ports={"5000/tcp": ("127.0.0.1", 0)}, labels={LABEL: "filling"}
    )
    try:
        address = _registry_address(container)
        for name, app in apps.items():
            _push(client, app, f"{address}/{SERVED[name]}")
        container.stop(timeout=5)
        repository, tag = reference.rsplit(":", 1)
        container.commit(repository, tag, changes=f"LABEL {LABEL}=mirror")
    finally:
        container.remove(force=True, v=True)
    note(f"mirror: ready ({time.monotonic() - started:.0f} s)")


def _registry_address(container: Container) -> str:
    # Probed from inside: the Engine may be on another machine than this process.
    probe = ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5000"]

    def listening() -> tuple[str | None, str]:
        container.reload()
        if container.status != "running":
            end = container.logs(tail=LOG_LINES_IN_ERROR).decode(errors="replace")
            raise SwarmctlError(f"the lab's registry did not start:\n{end}")
        bindings = container.ports.get("5000/tcp")
        if not bindings or container.exec_run(probe).exit_code != 0:
            return None, "port 5000 closed"
        return f"127.0.0.1:{bindings[0]['HostPort']}", ""

    return wait_for("the registry to listen", listening, timeout=30, interval=0.1)


def _push(client: docker.DockerClient, image: str, destination: str) -> None:
    repository, tag = destination.rsplit(":", 1)
    client.api.tag(image, repository, tag)
    try:
        for event in client.api.push(repository, tag, stream=True, decode=True):
            if "error" in event:
                raise SwarmctlError(f"pushing {image} to {destination} failed: {event['error']}")
    finally:
        client.api.remove_image(destination, noprune=True)
