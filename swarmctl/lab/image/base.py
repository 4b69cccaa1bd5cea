"""The base image: Debian, made with ``mmdebstrap``, or pulled from a registry.

``SWARMCTL_LAB_BASE_IMAGE=debian:trixie-slim`` selects an image to pull.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import docker
import docker.errors
import requests

from swarmctl.errors import SwarmctlError
from swarmctl.lab.image.recipes import BASE_IMAGE_VARIABLE, LABEL, MMDEBSTRAP, REPOSITORY

#: Where Debian and Ubuntu (package debian-archive-keyring) keep the keys that sign Debian.
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LOG_LINES_IN_ERROR = 25
BLOCK = 1 << 20

Note = Callable[[str], None]


def make_base(client: docker.DockerClient, reference: str, note: Note) -> None:
    """Build or pull the base image.

    Raises:
        SwarmctlError: it failed; the message ends with the end of the log.
    """
    if not reference.startswith(f"{REPOSITORY}/"):
        _pull_base(client, reference, note)
        return
    if shutil.which(MMDEBSTRAP[0]) is None:
        raise SwarmctlError(
            "mmdebstrap is needed to build the lab's Debian base image and is not installed",
            "run: swarmctl lab doctor --fix",
        )
    note("base: bootstrapping Debian 13 (mmdebstrap)")
    started = time.monotonic()
    keyring = (f"--keyring={KEYRING}",) if KEYRING.exists() else ()
    # A file, not a pipe: a full pipe would block mmdebstrap while the tar file is read.
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
            # Reported below: the import fails when mmdebstrap does, and vice versa.
            refusal = error
        finally:
            process.stdout.close()
            code = process.wait()
        if code != 0:
            raise SwarmctlError(
                f"mmdebstrap failed with exit code {code}:\n{last_lines(log)}"
                + (f"\nthe Engine answered: {refusal}" if refusal else ""),
                "the base needs Debian's mirror (http://deb.debian.org) and, on Ubuntu, the "
                "package debian-archive-keyring; or set "
                f"{BASE_IMAGE_VARIABLE}=debian:trixie-slim where a registry can be reached",
            ) from refusal
    if refusal is not None:
        raise SwarmctlError(f"the Engine could not import the base image: {refusal}") from refusal
    image_id = _imported_id(answer)
    # Named only now: an incomplete import must not be taken for the base.
    repository, tag = reference.rsplit(":", 1)
    client.api.tag(image_id, repository, tag)
    note(f"base: ready ({time.monotonic() - started:.0f} s)")


def _pull_base(client: docker.DockerClient, reference: str, note: Note) -> None:
    note(f"base: pulling {reference}")
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


def last_lines(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-LOG_LINES_IN_ERROR:])
