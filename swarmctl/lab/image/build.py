"""Make one image of the lab: the Debian base, an image from a recipe, or the image mirror."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests
from docker.models.containers import Container

from swarmctl.errors import SwarmctlError
from swarmctl.lab.image.recipes import (
    BASE_IMAGE_VARIABLE,
    LABEL,
    MMDEBSTRAP,
    REPOSITORY,
    SERVED,
    build_context,
)
from swarmctl.wait import wait_for

#: Where Debian and Ubuntu (package debian-archive-keyring) keep the keys that sign Debian.
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
#: Docker accepts these build arguments without a declaration and keeps them out of the image.
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")
LOG_LINES_IN_ERROR = 25
PREPARE_TIMEOUT = 600  # seconds
BLOCK = 1 << 20

Note = Callable[[str], None]


@contextmanager
def _timed(name: str, what: str, note: Note) -> Iterator[None]:
    note(f"{name}: {what}")
    started = time.monotonic()
    yield
    note(f"{name}: ready ({time.monotonic() - started:.0f} s)")


def make_base(client: docker.DockerClient, reference: str, note: Note) -> None:
    """Make the base image: Debian, by ``mmdebstrap`` or pulled from a registry.

    ``SWARMCTL_LAB_BASE_IMAGE=debian:trixie-slim`` selects an image to pull.

    Raises:
        SwarmctlError: it failed; the message ends with the end of the log.
    """
    if not reference.startswith(f"{REPOSITORY}/"):
        note(f"base: pulling {reference}")
        try:
            client.images.pull(reference)
        except docker.errors.APIError as error:
            raise SwarmctlError(
                f"cannot pull the base image {reference}: {error.explanation or error}",
                f"unset {BASE_IMAGE_VARIABLE} to build the base from Debian's packages",
            ) from error
        return
    if shutil.which(MMDEBSTRAP[0]) is None:
        raise SwarmctlError(
            "mmdebstrap is needed to build the lab's Debian base image and is not installed",
            "run: swarmctl lab doctor --fix",
        )
    with _timed("base", "bootstrapping Debian 13 (mmdebstrap)", note):
        image_id = _import_debian(client)
        # Named only now: an incomplete import must not be taken for the base.
        repository, tag = reference.rsplit(":", 1)
        client.api.tag(image_id, repository, tag)


def _import_debian(client: docker.DockerClient) -> str:
    """Pipe mmdebstrap's output into the Engine; returns the image's ID."""
    keyring = (f"--keyring={KEYRING}",) if KEYRING.exists() else ()
    # A file, not a pipe: a full pipe would block mmdebstrap while the tar file is read.
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [MMDEBSTRAP[0], *keyring, *MMDEBSTRAP[1:]], stdout=subprocess.PIPE, stderr=log
        )
        stream = process.stdout
        assert stream is not None
        answer, refusal = "", None
        try:
            answer = client.api.import_image_from_stream(
                iter(lambda: stream.read(BLOCK), b""),
                changes=[f"LABEL {LABEL}=base", 'CMD ["/bin/bash"]'],
            )
        except (docker.errors.APIError, requests.RequestException) as error:
            # Reported below: the import fails when mmdebstrap does, and vice versa.
            refusal = error
        finally:
            stream.close()
            code = process.wait()
        if code != 0:
            log.seek(0)
            raise SwarmctlError(
                f"mmdebstrap failed with exit code {code}:\n{_last_lines(log.read())}"
                + (f"\nthe Engine answered: {refusal}" if refusal else ""),
                "the base needs Debian's mirror (http://deb.debian.org) and, on Ubuntu, the "
                "package debian-archive-keyring; or set "
                f"{BASE_IMAGE_VARIABLE}=debian:trixie-slim where a registry can be reached",
            ) from refusal
    status: dict[str, Any] = {}
    for line in answer.splitlines():
        status.update(json.loads(line))
    problem = refusal or status.get("error")
    if problem:
        raise SwarmctlError(f"the Engine could not import the base image: {problem}") from refusal
    return str(status["status"])


def _last_lines(log: bytes) -> str:
    return "\n".join(log.decode(errors="replace").splitlines()[-LOG_LINES_IN_ERROR:])


def build_image(
    client: docker.DockerClient, recipe: Path, reference: str, parent: str, note: Note
) -> None:
    """Build the image ``reference`` (name:tag) from a recipe's folder, on the image ``parent``.

    Raises:
        SwarmctlError: the build failed; the message ends with the end of its log.
    """
    log: list[str] = []
    with _timed(recipe.name, "building", note), tempfile.TemporaryDirectory() as added:
        _prepare(recipe, added)
        for event in client.api.build(
            fileobj=io.BytesIO(build_context(recipe, Path(added))),
            custom_context=True,
            tag=reference,
            labels={LABEL: recipe.name},
            buildargs={"BASE": parent, **_proxies(os.environ)},
            rm=True,
            forcerm=True,
            decode=True,
        ):
            log.extend(str(event.get("stream", "")).splitlines())
            if "error" in event:
                end = "\n".join(line for line in log[-LOG_LINES_IN_ERROR:] if line.strip())
                raise SwarmctlError(
                    f"building the image {recipe.name} failed: {event['error']}\n{end}",
                    "a build needs Debian's mirror (http://deb.debian.org) from within a container",
                )


def _prepare(recipe: Path, folder: str) -> None:
    """Let a recipe's script add files to the build context."""
    script = recipe / "prepare"
    if not script.exists():
        return
    argv = ["sh", str(script), sys.executable, folder]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=PREPARE_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _not_prepared(recipe, f"not done within {PREPARE_TIMEOUT} s") from error
    if done.returncode:
        raise _not_prepared(recipe, done.stderr.strip())


def _not_prepared(recipe: Path, why: str) -> SwarmctlError:
    return SwarmctlError(
        f"preparing the image {recipe.name} failed:\n{why}",
        "it needs PyPI, and uv in this environment (`make setup` installs it)",
    )


def _proxies(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: environment[name] for name in PROXY_VARIABLES if environment.get(name)}


def fill_registry(
    client: docker.DockerClient, server: str, reference: str, apps: Mapping[str, str], note: Note
) -> None:
    """Make the image mirror: a registry's container with the images pushed into it, committed."""
    with _timed("mirror", "pushing httpd:2.4, node:20 and postgres:17 into the registry", note):
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


def _registry_address(container: Container) -> str:
    # Probed from inside: the Engine may be on another machine than this process.
    probe = ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5000"]

    def listening() -> tuple[str | None, str]:
        container.reload()
        if container.status != "running":
            end = _last_lines(container.logs(tail=LOG_LINES_IN_ERROR))
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
