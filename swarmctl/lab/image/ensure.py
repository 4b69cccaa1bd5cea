"""Build the images of the lab that do not exist yet; no image registry is needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass

import docker
import docker.errors

from swarmctl.errors import SwarmctlError
from swarmctl.lab.image.build import Note, build_image, fill_registry, make_base
from swarmctl.lab.image.recipes import (
    BASE_IMAGE_VARIABLE,
    RECIPES,
    SERVED,
    image_tags,
)


@dataclass(frozen=True, slots=True)
class Images:
    """References of the images a lab starts containers from."""

    node: str  # with Docker Engine (a golden AMI)
    node_bare: str  # without Engine; an offline apt source in it has the packages
    registry: str  # with the application images inside
    load_balancer: str  # with HAProxy


def ensure_images(client: docker.DockerClient, note: Note) -> Images:
    """Build the images that do not exist yet, independent ones in parallel.

    Raises:
        SwarmctlError: an image could not be built; the message ends with the end of the log.
    """
    wanted = image_tags(base_image=os.environ.get(BASE_IMAGE_VARIABLE) or None)
    images = Images(wanted.node, wanted.node_bare, wanted.registry, wanted.load_balancer)
    have = _existing(client)
    if set(astuple(images)) <= have:
        return images
    if wanted.base not in have:
        make_base(client, wanted.base, note)

    def build(name: str, reference: str, parent: str) -> None:
        if reference not in have:
            build_image(client, RECIPES / name, reference, parent, note)

    def machines() -> None:
        build("node_bare", wanted.node_bare, wanted.base)
        build("node", wanted.node, wanted.node_bare)

    def mirror() -> None:
        apps = {name: str(getattr(wanted, name)) for name in SERVED}
        for name, reference in apps.items():
            build(name, reference, wanted.base)
        build("registry", wanted.registry_server, wanted.base)
        if wanted.registry not in have:
            fill_registry(client, wanted.registry_server, wanted.registry, apps, note)

    def load_balancer() -> None:
        build("load_balancer", wanted.load_balancer, wanted.base)

    _in_parallel(machines, load_balancer, mirror)
    return images


def ensure_older_engine(client: docker.DockerClient, note: Note) -> str:
    """Build the golden image with the older Engine, which few labs need; returns its reference.

    Raises:
        SwarmctlError: see :func:`ensure_images`, which has made what it is built on.
    """
    wanted = image_tags(base_image=os.environ.get(BASE_IMAGE_VARIABLE) or None)
    if wanted.node_older not in _existing(client):
        recipe = RECIPES / "node_older"
        build_image(client, recipe, wanted.node_older, wanted.node_bare, note)
    return wanted.node_older


def _existing(client: docker.DockerClient) -> set[str]:
    # Not client.images.list(): it inspects every image one by one.
    tags: set[str] = set()
    for image in client.api.images():
        tags.update(image.get("RepoTags") or ())
    return tags


def _in_parallel(*jobs: Callable[[], None]) -> None:
    """Run the jobs in parallel, wait for all, then report every failure."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        failures = [future.exception() for future in [pool.submit(job) for job in jobs]]
    errors = [failure for failure in failures if isinstance(failure, SwarmctlError)]
    for failure in failures:
        if failure and (len(errors) == 1 or failure not in errors):
            raise failure
    if errors:
        raise SwarmctlError(
            "\n".join(map(str, errors)), next((e.hint for e in errors if e.hint), "")
        )
