"""The images and tags of moto's repositories, which are those of the registry.

The registry keeps manifests by digest alone; which tag means which digest is known here. The caller
holds the API's lock.
"""

from __future__ import annotations

import time
from typing import Any

from swarmctl.lab.registry.registry_error import (
    RegistryError,
    immutable,
    unknown_image,
    unknown_repository,
)


def repository(account: str, region: str, name: str) -> Any:
    """A moto ``Repository``.

    Raises:
        RegistryError: there is none of that name.
    """
    from moto.ecr.models import ecr_backends

    found = ecr_backends[account][region].repositories.get(name)
    if found is None:
        raise unknown_repository(name, account)
    return found


def find(repository: Any, tag: str, digest: str) -> Any:
    """A moto ``Image`` by its tag or its digest.

    Raises:
        RegistryError: there is none.
    """
    for image in repository.images:
        if tag in image.image_tags if tag else image.get_image_digest() == digest:
            return image
    raise unknown_image()


def require_mutable(repository: Any, tag: str) -> None:
    """Refuse to move a tag that is immutable.

    Raises:
        RegistryError: the tag exists, and the repository's tags are immutable.
    """
    if not tag:
        return
    filters = repository.image_tag_mutability_exclusion_filters or ()
    excluded = any(_matches(f["filter"], tag) for f in filters)
    exists = any(tag in image.image_tags for image in repository.images)
    if exists and repository.is_tag_immutable() is not excluded:
        raise immutable(tag, repository.name)


def record(repository: Any, manifest: bytes, kind: str, tag: str, digest: str) -> Any:
    """Record a manifest that the registry has stored; the tag leaves the image that had it.

    Returns:
        The moto ``Image``.
    """
    from moto.ecr.models import Image

    for other in repository.images:
        if tag in other.image_tags and other.get_image_digest() != digest:
            other.remove_tag(tag)
    try:
        image = find(repository, "", digest)
    except RegistryError:
        text = manifest.decode()
        image = Image(repository.account_id, tag, text, repository.name, kind, digest)
        image.image_tags = []
        repository.images.append(image)
    if tag:
        image.update_tag(tag)
    else:
        image.image_tag = image.image_tags[-1] if image.image_tags else None
    return image


def pulled(image: Any) -> None:
    """Record that somebody has got the manifest of an image."""
    image.last_recorded_pull_time = int(time.time())


def _matches(pattern: str, tag: str) -> bool:
    """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageTagMutabilityExclusionFilter.html"""
    from fnmatch import fnmatchcase

    return fnmatchcase(tag, pattern)
