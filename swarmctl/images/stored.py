"""The images in a registry, and which services use them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from swarmctl.cloud.ecr_repositories import owned
from swarmctl.images.home import Home
from swarmctl.images.source import image_names
from swarmctl.registry import former
from swarmctl.registry.reference import Reference, parse

PREVIOUS = " (previous)"  # after a service's name: the version that a rollback starts


@dataclass(frozen=True, slots=True)
class Stored:
    """An image in a repository.

    Attributes:
        size: bytes, compressed; 0 if it is not known.
        pushed: when; ``None`` if it is not known. Of a registry other than ECR: when it was built.
        used_by: names of services; those that would use it after a rollback are marked.
    """

    repository: str
    digest: str
    tags: tuple[str, ...]
    size: int
    pushed: datetime | None
    used_by: tuple[str, ...] = ()


def repositories_of(home: Home, stacks: Iterable[Path], *, complete: bool) -> list[str]:
    """The repositories of stacks' images.

    Args:
        home: the registry.
        stacks: the stacks' folders.
        complete: also those of copies, and of images that no folder describes any more. In an ECR
            only repositories with the cluster's tag.
    """
    folders = [(stack.resolve().name, image_names(stack)) for stack in stacks]
    if home.ecr:
        there = [n for n in owned(home.ecr, home.cluster) if n.startswith(f"{home.prefix}/")]
        prefixes = tuple(home.repository(stack, "x").removesuffix("x") for stack, _ in folders)
        return there if complete else [name for name in there if name.startswith(prefixes)]
    return [home.repository(stack, image) for stack, images in folders for image in images]


def stored_images(
    home: Home,
    repositories: Iterable[str],
    services: Iterable[Mapping[str, Any]] = (),
    configs: Iterable[dict[str, Any]] = (),
) -> list[Stored]:
    """The images of some repositories, the newest of each first.

    Args:
        home: the registry.
        repositories: their names; one that does not exist has no images.
        services: as the Engine API lists them.
        configs: the same, read after the services: those of a refresh have former versions.

    Raises:
        EcrError, RegistryError: the registry refused, or does not answer.
    """
    kept = ({"Spec": {"Name": s["Name"]}, "PreviousSpec": s} for s in former.specs(configs))
    used = list(_uses([*services, *kept]))
    found: list[Stored] = []
    for repository in sorted(set(repositories)):
        for image in _images(home, repository):
            names = sorted({service for service, by in used if _is(by, home.host, image)})
            found.append(
                Stored(repository, image.digest, image.tags, image.size, image.pushed, tuple(names))
            )
    return found


def _images(home: Home, repository: str) -> list[Stored]:
    if home.ecr:
        return [
            Stored(repository, i.digest, i.tags, i.size, i.pushed_at)
            for i in home.ecr.images(repository)
        ]
    api = home.api()
    tags: dict[str, list[str]] = {}
    for tag in api.tags(repository):
        reference = Reference(f"{home.host}/{repository}", home.host, repository, tag)
        if digest := api.digest(reference):
            tags.setdefault(digest, []).append(tag)
    found = []
    for digest, names in tags.items():
        manifest = api.manifest(repository, digest)
        size, created = (manifest.size, manifest.created) if manifest else (0, None)
        found.append(Stored(repository, digest, tuple(names), size, created))
    return sorted(found, key=lambda i: (i.pushed is not None, i.pushed), reverse=True)


def _uses(services: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Reference]]:
    """Each service with the image that it uses, or would use after a rollback."""
    for service in services:
        name = str(service["Spec"]["Name"])
        for key, mark in (("Spec", ""), ("PreviousSpec", PREVIOUS)):
            template = (service.get(key) or {}).get("TaskTemplate") or {}
            image = (template.get("ContainerSpec") or {}).get("Image")
            if image and (found := parse(str(image))):
                yield f"{name}{mark}", found


def _is(used: Reference, host: str, image: Stored) -> bool:
    if (used.host, used.repository) != (host, image.repository):
        return False
    return used.digest == image.digest if used.digest else used.version in image.tags


def unused(images: Iterable[Stored], keep: int) -> list[Stored]:
    """What may be removed: used by no service, and not among the newest of its repository.

    Args:
        images: the newest of each repository first.
        keep: how many of the newest to keep in each repository.
    """
    seen: dict[str, int] = {}
    found: list[Stored] = []
    for image in images:
        # Without a tag it may be a part of another one: the lifecycle policy removes it. Without
        # a time it may be the newest.
        if not image.tags or image.pushed is None:
            continue
        seen[image.repository] = seen.get(image.repository, 0) + 1
        if seen[image.repository] > keep and not image.used_by:
            found.append(image)
    return found


def remove(home: Home, images: Iterable[Stored]) -> None:
    """Remove images with all their tags.

    Raises:
        EcrError, RegistryError: the registry refused.
    """
    by_repository: dict[str, list[str]] = {}
    for image in images:
        by_repository.setdefault(image.repository, []).append(image.digest)
    for repository, digests in by_repository.items():
        if home.ecr:
            home.ecr.delete(repository, digests)
            continue
        api = home.api()
        for digest in digests:
            api.delete(repository, digest)
