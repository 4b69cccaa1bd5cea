"""Build one image of the lab from its recipe, with ``docker build``."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import docker

from swarmctl.errors import SwarmctlError
from swarmctl.lab.image.recipes import LABEL, build_context

#: Docker accepts these build arguments without a declaration and keeps them out of the image.
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")
LOG_LINES_IN_ERROR = 25

Note = Callable[[str], None]


def build_image(
    client: docker.DockerClient, recipe: Path, reference: str, parent: str, note: Note
) -> None:
    """Build one image.

    Args:
        client: the Engine.
        recipe: its recipe's folder.
        reference: its name and tag.
        parent: the image it is built on.
        note: told when it begins and ends.

    Raises:
        SwarmctlError: the build failed; the message ends with the end of its log.
    """
    name = recipe.name
    note(f"{name}: building")
    started = time.monotonic()
    log: list[str] = []
    for event in client.api.build(
        fileobj=io.BytesIO(build_context(recipe)),
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
    note(f"{name}: ready ({time.monotonic() - started:.0f} s)")


def _proxies(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: environment[name] for name in PROXY_VARIABLES if environment.get(name)}
