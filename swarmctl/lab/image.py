"""The lab's images, built on this machine: no image registry is needed.

A Debian base comes from ``mmdebstrap``; everything else is a ``docker build`` on top of it, one
directory below ``images/`` each. A tag is the hash of all that goes into the image (its files, its
parent's tag), so an image is built exactly when something in it changed, and finding out costs
one look at the Engine.

``SWARMCTL_LAB_BASE_IMAGE=debian:trixie-slim`` takes the base from a registry instead.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import docker
import docker.errors
import requests
from docker.models.containers import Container

from swarmctl.errors import SwarmctlError
from swarmctl.wait import wait_for

RECIPES = Path(__file__).parent / "images"
BASE_IMAGE_VARIABLE = "SWARMCTL_LAB_BASE_IMAGE"
#: Every image of ours carries this label; its value is the image's name.
LABEL = "swarmctl.lab.image"
REPOSITORY = "swarmctl-lab"
#: The names under which the lab's registry serves the application images.
SERVED = {
    "httpd": "library/httpd:2.4",
    "nodejs": "library/node:20",
    "postgres": "library/postgres:17",
}

MMDEBSTRAP = (
    "mmdebstrap",
    "--variant=minbase",
    # What a machine without people on it never reads; a quarter of its size.
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--dpkgopt=path-exclude=/usr/lib/x86_64-linux-gnu/gconv/*",
    "--dpkgopt=path-exclude=/usr/share/bash-completion/*",
    "--customize-hook=rm -f $1/var/cache/debconf/*-old",
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=APT::Install-Recommends "false"',
    "trixie",
    "-",
    "deb http://deb.debian.org/debian trixie main",
    "deb http://deb.debian.org/debian trixie-updates main",
    "deb http://deb.debian.org/debian-security trixie-security main",
)
#: Where Debian and Ubuntu (package debian-archive-keyring) keep the keys that sign Debian.
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
#: Docker knows these build arguments without a declaration and keeps them out of the image.
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")
LOG_LINES_IN_ERROR = 25
BLOCK = 1 << 20

Say = Callable[[str], None]


@dataclass(frozen=True)
class Images:
    """References of the images a lab starts containers from."""

    node: str
    """A machine with Docker Engine (a golden AMI)."""
    node_bare: str
    """A machine without Engine, with an offline apt source that holds it."""
    registry: str
    """The registry, the application images inside."""


@dataclass(frozen=True)
class Plan:
    """What every image of the lab is called, given the recipes and the base."""

    base: str
    node_bare: str
    node: str
    httpd: str
    nodejs: str
    postgres: str
    registry_server: str
    registry: str


def plan(recipes: Path = RECIPES, base_image: str | None = None) -> Plan:
    """Compute the tag of every image from what goes into it.

    Args:
        recipes: directory with one sub-directory (a Dockerfile and its files) an image.
        base_image: reference of a Debian image to pull; by default the base is built.
    """
    base = base_image or _tag("base", *MMDEBSTRAP)

    def built(name: str, parent: str) -> str:
        return _tag(name, parent, _content_hash(recipes / name))

    node_bare = built("node_bare", base)
    apps = {name: built(name, base) for name in SERVED}
    registry_server = built("registry", base)
    served = [f"{SERVED[name]} {reference}" for name, reference in apps.items()]
    return Plan(
        base=base,
        node_bare=node_bare,
        node=built("node", node_bare),
        registry_server=registry_server,
        registry=_tag("mirror", registry_server, *served),
        **apps,
    )


def ensure_images(client: docker.DockerClient, say: Say) -> Images:
    """Build the images that do not exist yet, in parallel where they do not depend on each other.

    Args:
        client: the Engine that will run the lab.
        say: receives a line of progress for every image that is built.

    Raises:
        SwarmctlError: an image could not be built; the message ends with the end of the log.
    """
    wanted = plan(base_image=os.environ.get(BASE_IMAGE_VARIABLE) or None)
    images = Images(wanted.node, wanted.node_bare, wanted.registry)
    have = _existing(client)
    if {images.node, images.node_bare, images.registry} <= have:
        return images
    if wanted.base not in have:
        _make_base(client, wanted.base, say)

    def build(name: str, reference: str, parent: str) -> None:
        if reference not in have:
            _build(client, RECIPES / name, reference, parent, say)

    def machines() -> None:
        build("node_bare", wanted.node_bare, wanted.base)
        build("node", wanted.node, wanted.node_bare)

    def mirror() -> None:
        apps = {name: str(getattr(wanted, name)) for name in SERVED}
        for name, reference in apps.items():
            build(name, reference, wanted.base)
        build("registry", wanted.registry_server, wanted.base)
        if wanted.registry not in have:
            _fill_registry(client, wanted.registry_server, wanted.registry, apps, say)

    _in_parallel(machines, mirror)
    return images


def remove_stale_images(client: docker.DockerClient) -> tuple[str, ...]:
    """Remove lab images that the recipes no longer lead to; those in use stay.

    Returns:
        The references that were removed.
    """
    wanted = vars(plan(base_image=os.environ.get(BASE_IMAGE_VARIABLE) or None)).values()
    removed = []
    for reference in sorted(_existing(client) - set(wanted)):
        if not reference.startswith(f"{REPOSITORY}/"):
            continue
        try:
            client.images.remove(reference)
        except docker.errors.APIError as error:
            # 409: a container uses it, perhaps a lab of another checkout.
            if error.status_code != 409:
                raise
        else:
            removed.append(reference)
    return tuple(removed)


def _existing(client: docker.DockerClient) -> set[str]:
    # The plain list call: client.images.list() would inspect every image one by one.
    tags: set[str] = set()
    for image in client.api.images():
        tags.update(image.get("RepoTags") or ())
    return tags


def _in_parallel(*jobs: Callable[[], None]) -> None:
    """Run the jobs at the same time; wait for all, then report every failure."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        failures = [future.exception() for future in [pool.submit(job) for job in jobs]]
    errors = [failure for failure in failures if failure is not None]
    for error in errors:
        if not isinstance(error, SwarmctlError):
            raise error
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise SwarmctlError(
            "\n".join(str(error) for error in errors),
            next((e.hint for e in errors if isinstance(e, SwarmctlError) and e.hint), ""),
        )


# --- the base ---------------------------------------------------------------------------------


def _make_base(client: docker.DockerClient, reference: str, say: Say) -> None:
    if not reference.startswith(f"{REPOSITORY}/"):
        _pull_base(client, reference, say)
        return
    if shutil.which(MMDEBSTRAP[0]) is None:
        raise SwarmctlError(
            "mmdebstrap is needed to build the lab's Debian base image and is not installed",
            "run: swarmctl lab doctor --fix",
        )
    say("base: bootstrapping Debian 13 (mmdebstrap)")
    started = time.monotonic()
    keyring = (f"--keyring={KEYRING}",) if KEYRING.exists() else ()
    # A file, not a pipe: nobody has to read the log while the tar file flows.
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [MMDEBSTRAP[0], *keyring, *MMDEBSTRAP[1:]], stdout=subprocess.PIPE, stderr=log
        )
        assert process.stdout is not None
        answer, refusal = "", None
        try:
            answer = client.api.import_image_from_stream(
                _blocks(process.stdout),
                changes=[f"LABEL {LABEL}=base", 'CMD ["/bin/bash"]'],
            )
        except (docker.errors.APIError, requests.RequestException) as error:
            # Said below: an import fails when mmdebstrap does, and the other way round.
            refusal = error
        finally:
            process.stdout.close()
            code = process.wait()
        if code != 0:
            raise SwarmctlError(
                f"mmdebstrap failed with exit code {code}:\n{_last_lines(log)}"
                + (f"\nthe Engine said: {refusal}" if refusal else ""),
                "the base needs Debian's mirror (http://deb.debian.org) and, on Ubuntu, the "
                "package debian-archive-keyring; or set "
                f"{BASE_IMAGE_VARIABLE}=debian:trixie-slim where a registry can be reached",
            ) from refusal
    if refusal is not None:
        raise SwarmctlError(f"the Engine could not import the base image: {refusal}") from refusal
    image_id = _imported_id(answer)
    # Only now does it get its name: half an import must not be taken for the base.
    repository, tag = reference.rsplit(":", 1)
    client.api.tag(image_id, repository, tag)
    say(f"base: ready ({time.monotonic() - started:.0f} s)")


def _pull_base(client: docker.DockerClient, reference: str, say: Say) -> None:
    say(f"base: pulling {reference}")
    try:
        client.images.pull(reference)
    except docker.errors.APIError as error:
        raise SwarmctlError(
            f"cannot pull the base image {reference}: {error.explanation or error}",
            f"unset {BASE_IMAGE_VARIABLE} to build the base from Debian's packages",
        ) from error


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    while block := stream.read(BLOCK):
        yield block


def _imported_id(answer: str) -> str:
    """The image ID in the Engine's answer to an import, which is a line of JSON or several."""
    status: dict[str, Any] = {}
    for line in answer.splitlines():
        status.update(json.loads(line))
    if "error" in status:
        raise SwarmctlError(f"the Engine could not import the base image: {status['error']}")
    return str(status["status"])


def _last_lines(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-LOG_LINES_IN_ERROR:])


# --- docker build -----------------------------------------------------------------------------


def _build(
    client: docker.DockerClient, recipe: Path, reference: str, parent: str, say: Say
) -> None:
    name = recipe.name
    say(f"{name}: building")
    started = time.monotonic()
    log: list[str] = []
    for event in client.api.build(
        fileobj=io.BytesIO(_context(recipe)),
        custom_context=True,
        tag=reference,
        labels={LABEL: name},
        buildargs={"BASE": parent, **_proxies(os.environ)},
        rm=True,
        forcerm=True,
        decode=True,
    ):
        log.extend(str(event.get("stream", "")).splitlines())
        if "error" in event:
            end = "\n".join(line for line in log[-LOG_LINES_IN_ERROR:] if line.strip())
            raise SwarmctlError(
                f"building the image {name} failed: {event['error']}\n{end}",
                "a build needs Debian's mirror (http://deb.debian.org) from within a container",
            )
    say(f"{name}: ready ({time.monotonic() - started:.0f} s)")


def _proxies(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: environment[name] for name in PROXY_VARIABLES if environment.get(name)}


def _context(recipe: Path) -> bytes:
    """The build context as a tar file whose bytes depend on the files' names and contents only."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in _files(recipe):
            content = path.read_bytes()
            entry = tarfile.TarInfo(str(path.relative_to(recipe)))
            entry.size = len(content)
            entry.mode = 0o755 if content.startswith(b"#!") else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _files(recipe: Path) -> Sequence[Path]:
    return sorted(path for path in recipe.rglob("*") if path.is_file())


def _content_hash(recipe: Path) -> str:
    return hashlib.sha256(_context(recipe)).hexdigest()


def _tag(name: str, *ingredients: str) -> str:
    digest = hashlib.sha256("\0".join(ingredients).encode()).hexdigest()[:12]
    return f"{REPOSITORY}/{name.replace('_', '-')}:{digest}"


# --- the registry -----------------------------------------------------------------------------


def _fill_registry(
    client: docker.DockerClient, server: str, reference: str, apps: Mapping[str, str], say: Say
) -> None:
    """Run the empty registry, push the application images into it, keep the result as an image."""
    say("mirror: pushing httpd:2.4, node:20 and postgres:17 into the registry")
    started = time.monotonic()
    # Engine accepts plain HTTP for registries on its own loopback addresses.
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
    say(f"mirror: ready ({time.monotonic() - started:.0f} s)")


def _registry_address(container: Container) -> str:
    # Asked from inside: the Engine may be on another machine than this process.
    probe = ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5000"]

    def look() -> tuple[str | None, str]:
        container.reload()
        if container.status != "running":
            end = container.logs(tail=LOG_LINES_IN_ERROR).decode(errors="replace")
            raise SwarmctlError(f"the lab's registry did not start:\n{end}")
        bindings = container.ports.get("5000/tcp")
        if not bindings or container.exec_run(probe).exit_code != 0:
            return None, "port 5000 closed"
        return f"127.0.0.1:{bindings[0]['HostPort']}", ""

    return wait_for("the registry to listen", look, timeout=30, interval=0.1)


def _push(client: docker.DockerClient, image: str, destination: str) -> None:
    repository, tag = destination.rsplit(":", 1)
    client.api.tag(image, repository, tag)
    try:
        for event in client.api.push(repository, tag, stream=True, decode=True):
            if "error" in event:
                raise SwarmctlError(f"pushing {image} to {destination} failed: {event['error']}")
    finally:
        client.api.remove_image(destination, noprune=True)
