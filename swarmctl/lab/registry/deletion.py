"""BatchDeleteImage on moto's repositories.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from swarmctl.lab.registry import images
from swarmctl.lab.registry.registry_error import RegistryError


def delete_images(repository: Any, wanted: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    """Take tags away, and delete images with their last tag or by their digest.

    Args:
        repository: a moto ``Repository``.
        wanted: ``imageTag``, ``imageDigest`` or both of each.

    Returns:
        The answer of the API: what was deleted, and what was not.
    """
    deleted: list[dict[str, str]] = []
    failures: list[dict[str, Any]] = []
    for image_id in wanted:
        try:
            deleted += _delete(repository, image_id)
        except RegistryError as error:
            failures.append(
                {"imageId": image_id, "failureCode": error.code, "failureReason": error.message}
            )
    return {"imageIds": deleted, "failures": failures}


def _delete(repository: Any, image_id: Mapping[str, str]) -> list[dict[str, str]]:
    tag, digest = image_id.get("imageTag", ""), image_id.get("imageDigest", "")
    if not (tag or digest):
        why = "Invalid request parameters: both tag and digest cannot be null"
        raise RegistryError(400, "MissingDigestAndTag", why)
    try:
        image = images.find(repository, tag, digest)
    except RegistryError as error:
        raise RegistryError(404, "ImageNotFound", error.message) from error
    found = str(image.get_image_digest())
    if digest not in ("", found):
        why = "The digest is not that of the image with the tag"
        raise RegistryError(400, "ImageTagDoesNotMatchDigest", why)
    if tag and len(image.image_tags) > 1:
        images.untag(image, tag)
        return [{"imageDigest": found, "imageTag": tag}]
    if parents := list(_lists_with(repository, found)):
        why = f"Requested image referenced by manifest list: [{', '.join(parents)}]"
        raise RegistryError(400, "ImageReferencedByManifestList", why)
    repository.images.remove(image)
    if not image.image_tags:
        return [{"imageDigest": found}]
    return [{"imageDigest": found, "imageTag": name} for name in image.image_tags]


def _lists_with(repository: Any, digest: str) -> Iterator[str]:
    """The manifest lists that name an image."""
    for image in repository.images:
        named = json.loads(image.image_manifest).get("manifests") or ()
        if any(part.get("digest") == digest for part in named):
            yield str(image.get_image_digest())
