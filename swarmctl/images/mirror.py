"""Copy other people's images into the cluster's registry: nodes then need no other one."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests

from swarmctl.errors import SwarmctlError
from swarmctl.images import platforms
from swarmctl.images.engine import MIRROR_VARIABLE, local_engine
from swarmctl.images.home import Home
from swarmctl.images.names import BUILT, Names, Question
from swarmctl.images.push import push
from swarmctl.reading.texts import one_line
from swarmctl.registry.credentials import Keyring
from swarmctl.registry.reference import DOCKER_HUB, Reference, parse

Note = Callable[[str], None]


def foreign_images(compose: Mapping[str, Any], home: Home) -> list[Reference]:
    """The images of a compose file's services that are not in the cluster's registry, sorted."""
    services = compose.get("services") or {}
    named = {str(service.get("image") or "") for service in services.values()}
    found = [image for image in map(parse, sorted(named)) if image]
    return [image for image in found if image.host != home.host]


def no_copies(home: Home) -> Names:
    """Names for a template of which only the foreign images matter; asks nobody."""

    def names(
        _stack: Path, _values: Mapping[str, Any], questions: Collection[Question]
    ) -> dict[Question, str]:
        return {q: f"{home.host}/own" if q[0] == BUILT else q[1] for q in questions}

    return names


def mirror_images(
    images: Iterable[Reference], home: Home, note: Note, platform: str = ""
) -> list[Reference]:
    """Copy images, by way of this machine's Engine; returns the copies' names, with digests.

    Args:
        images: what to copy.
        home: where to.
        note: called with the progress.
        platform: of the copies; ``""`` for the Engine's own.

    Raises:
        SwarmctlError: an image cannot be pulled or pushed; the copies before it are complete.
    """
    platforms.require_known(platform)
    client = local_engine()
    return [_copy(client, image, home, note, platform) for image in images]


def _copy(
    client: docker.DockerClient, image: Reference, home: Home, note: Note, platform: str
) -> Reference:
    copy = home.copy_of(image)
    source = _pull(client, image, platform)
    note(f"{image}: pushing {copy.name}:{copy.tag}")
    digest = push(client, source, copy, home, replace=True)
    return Reference(copy.name, copy.host, copy.repository, copy.tag, digest)


def _pull(client: docker.DockerClient, image: Reference, platform: str) -> str:
    """Pull an image; returns its name in the Engine."""
    mirrored = os.environ.get(MIRROR_VARIABLE)
    name = f"{mirrored}/{image.repository}" if mirrored and image.host == DOCKER_HUB else image.name
    login = Keyring().find(mirrored if name != image.name and mirrored else image.host)
    try:
        # Not client.images.pull: when a pull breaks off, it gives the image that was there before.
        for event in client.api.pull(
            name,
            tag=image.version,
            stream=True,
            decode=True,
            platform=platform or None,
            auth_config=login.auth_config() if login else {},
        ):
            if "error" in event:
                raise docker.errors.DockerException(str(event["error"]))
    except (docker.errors.DockerException, requests.RequestException) as fault:
        raise SwarmctlError(
            f"{name}:{image.version} cannot be pulled: {one_line(str(fault), 400)}",
            "does it exist, and is its registry reachable from here? "
            f"{MIRROR_VARIABLE}=HOST names a registry that serves Docker Hub's images",
        ) from fault
    return f"{name}@{image.digest}" if image.digest else f"{name}:{image.version}"
