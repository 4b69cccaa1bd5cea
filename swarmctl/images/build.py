"""Build an image: with ``docker buildx`` where there is one, else with ``docker build``."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors

from swarmctl.errors import SwarmctlError
from swarmctl.images import platforms
from swarmctl.images.build_failure import STEP, failure
from swarmctl.images.dockerfile import base_arguments
from swarmctl.images.engine import MIRROR_VARIABLE, local_engine
from swarmctl.images.source import Context, ImageSource, local_name
from swarmctl.reading.quantities import written_size
from swarmctl.reading.texts import clean, one_line

TIMEOUT_S = 1800.0

#: Where packages come from is this machine's matter. Passed on when set, and not a part of the tag.
PASSED_ON = (
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("NPM_CONFIG_REGISTRY", "PIP_INDEX_URL"),
)
#: In the build context of a Dockerfile that names it: the certificates that this machine trusts.
CERTIFICATES = ".ca-certificates.crt"
_CERTIFICATE_VARIABLES = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Built:
    """An image in this machine's Engine."""

    source: ImageSource
    tag: str
    id: str
    size: int  # bytes, not compressed

    @property
    def local_name(self) -> str:
        """Its name in the Engine."""
        return local_name(self.source, self.tag)


def build(
    source: ImageSource, context: Context, note: Note, client: docker.DockerClient | None = None
) -> Built:
    """Build an image.

    Args:
        source: what to build.
        context: of it.
        note: called with each step of the build.
        client: of this machine's Engine.

    Raises:
        UsageError: the platform is unknown.
        SwarmctlError: there is no Docker here, the build failed (with the Dockerfile's line), or
            the image is too large or of another platform; it has no name then.
    """
    platforms.require_known(source.platform)
    client = client or local_engine()
    text = source.dockerfile.read_text("utf-8", "replace")
    arguments = build_arguments(source, text, os.environ)
    with tempfile.TemporaryDirectory(prefix="swarmctl-build-") as folder:
        identity = Path(folder) / "id"
        argv = command(source, arguments, identity, buildx=_has_buildx())
        log = _run(argv, {**os.environ, **arguments}, _with_certificates(context, text), note)
        if log is not None:
            raise failure(source, text, log)
        id_ = identity.read_text().strip()
    api: Any = client.api  # its stubs are incomplete
    found = api.inspect_image(id_)
    built = Built(source, context.tag, id_, int(found["Size"]))
    _require_platform(built, platforms.of_image(found))
    _require_size(built, api)
    name, _, tag = built.local_name.rpartition(":")
    api.tag(id_, name, tag)
    return built


def command(
    source: ImageSource, arguments: Mapping[str, str], identity: Path, *, buildx: bool
) -> list[str]:
    """The command that builds an image from a tar file on its stdin.

    Args:
        source: what to build.
        arguments: the build arguments; their values are in the environment, because command lines
            are in the process list.
        identity: the file for the image's id.
        buildx: whether ``docker buildx`` is there.
    """
    tool = ["buildx", "build", "--load", "--progress=plain"] if buildx else ["build", "--force-rm"]
    return [
        "docker",
        *tool,
        f"--iidfile={identity}",
        *(f"--build-arg={name}" for name in sorted(arguments)),
        *([f"--platform={source.platform}"] if source.platform else []),
        "-",
    ]


def build_arguments(
    source: ImageSource, dockerfile: str, environment: Mapping[str, str]
) -> dict[str, str]:
    """The build arguments: this machine's, its mirror of Docker Hub, and the image's own."""
    passed = {name: environment[name] for name in PASSED_ON if environment.get(name)}
    if mirror := environment.get(MIRROR_VARIABLE):
        bases = base_arguments(dockerfile)
        passed |= {name: f"{mirror}/{image}" for name, image in bases.items()}
    return {**passed, **source.args}


def _has_buildx() -> bool:
    done = subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False)
    return done.returncode == 0


def _with_certificates(context: Context, dockerfile: str) -> bytes:
    """The build context, with this machine's certificates if the Dockerfile names them."""
    if CERTIFICATES[:-1] not in dockerfile:  # COPY … .ca-certificates.cr[t]: it may be missing
        return context.archive
    files = (Path(os.environ.get(name) or "-") for name in _CERTIFICATE_VARIABLES)
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        return context.archive
    buffer = io.BytesIO()
    buffer.write(context.archive)
    buffer.seek(0)
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        content = found.read_bytes()
        entry = tarfile.TarInfo(CERTIFICATES)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _run(
    argv: Sequence[str], environment: Mapping[str, str], archive: bytes, note: Note
) -> list[str] | None:
    """Run a build; ``None`` if it succeeded, else its log.

    Raises:
        SwarmctlError: it was still running after :data:`TIMEOUT_S`.
    """
    if argv[1] == "build":
        environment = {**environment, "DOCKER_BUILDKIT": "0"}  # buildx is not there
    with tempfile.TemporaryFile() as given:
        given.write(archive)
        given.seek(0)
        process = subprocess.Popen(
            argv, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
        )
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(TIMEOUT_S, end)
        timer.start()
        log: list[str] = []
        try:
            assert process.stdout is not None
            for raw in process.stdout:
                line = clean(raw.decode(errors="replace")).rstrip()
                log.append(line)
                if step := STEP.match(line):
                    note(f"  {one_line(step['what'], 100)}")
            code = process.wait()
        finally:
            timer.cancel()
            process.kill()
            process.wait()
    if late.is_set():
        raise SwarmctlError(
            f"a build was still running after {TIMEOUT_S / 60:.0f} min; its last line: "
            f"{log[-1] if log else 'none'}"
        )
    return log if code else None


def _require_platform(built: Built, found: str) -> None:
    """The old builder takes a base image of another platform if it has that one already."""
    wanted = built.source.platform
    if wanted and not platforms.same(wanted, found):
        raise SwarmctlError(
            f"{built.source.dockerfile} was built for {found}, not for {wanted}: its base image is "
            "of that platform",
            f"docker pull --platform {wanted} the base image first, or install docker buildx",
        )


def _require_size(built: Built, api: Any) -> None:
    limit = built.source.max_size
    if not limit or built.size <= limit:
        return
    layers = sorted(api.history(built.id), key=lambda layer: -int(layer["Size"]))
    shown = [
        f"  {written_size(layer['Size'])}  {one_line(layer['CreatedBy'] or 'base image', 80)}"
        for layer in layers[:3]
    ]
    raise SwarmctlError(
        f"{built.source.dockerfile}: the image has {written_size(built.size)}, the limit is "
        f"{written_size(limit)}; its largest layers:\n" + "\n".join(shown),
        f"make it smaller, or raise the limit: --max-size, or the value "
        f"images.{built.source.name}.max_size",
    )
