"""The images and tags of moto's repositories, which are those of the registry.

The registry keeps manifests by digest alone; which tag means which digest is known here. The caller
holds the API's lock.
"""

from __future__ import annotations

import time
from fnmatch import fnmatchcase
from typing import Any, cast

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
    # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageTagMutabilityExclusionFilter.html
    filters = repository.image_tag_mutability_exclusion_filters or ()
    excluded = any(fnmatchcase(tag, f["filter"]) for f in filters)
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
            untag(other, tag)
    try:
        image = find(repository, "", digest)
    except RegistryError:
        text, untagged = manifest.decode(), cast(str, None)
        image = Image(repository.account_id, untagged, text, repository.name, kind, digest)
        repository.images.append(image)
    if tag:
        image.update_tag(tag)
    return image


def untag(image: Any, tag: str) -> None:
    """Take a tag away from an image, which stays."""
    image.remove_tag(tag)
    if not image.image_tags:
        image.image_tag = None


def pulled(image: Any) -> None:
    """Record that somebody has got the manifest of an image."""
    image.last_recorded_pull_time = int(time.time())
