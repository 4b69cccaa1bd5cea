"""Patches for moto 5.2.5's ECR: it has images of its own, and a token that ended in 2015.

Each function is one patch. The process that serves the API calls ``apply`` once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable
from typing import Any, cast

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.ecr.exceptions import InvalidParameterException
from moto.ecr.models import ECRBackend, Image, Repository
from moto.ecr.responses import ECRResponse

from swarmctl.lab.registry import images
from swarmctl.lab.registry.deletion import delete_images
from swarmctl.lab.registry.gateway import Gateway
from swarmctl.lab.registry.registry_error import RegistryError, immutable_words


def apply(registry: Gateway) -> None:
    """Patch moto in this process."""
    _repositories_have_the_labs_address(registry)
    _put_image_reaches_the_registry(registry)
    _deleted_images_leave_the_registry(registry)
    _the_size_is_that_of_the_layers()
    _images_are_filtered_by_their_tags()


def _repositories_have_the_labs_address(registry: Gateway) -> None:
    """Permanent: on AWS the registry has a public name."""
    original = Repository.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if registry.address:
            self.uri = f"{registry.address}/{self.name}"

    Repository.__init__ = init  # type: ignore[method-assign]  # patch


def _put_image_reaches_the_registry(registry: Gateway) -> None:
    """Permanent. It also deletes the image that had the tag, where ECR leaves it without one."""

    def put_image(
        self: Any,
        repository_name: str,
        image_manifest: str,
        image_tag: str | None,
        image_manifest_mediatype: str | None = None,
        digest: str | None = None,
    ) -> Any:
        repository = self._get_repository(repository_name)
        manifest, tag = image_manifest.encode(), image_tag or ""
        found = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        kind = image_manifest_mediatype or _media_type(image_manifest)
        if digest not in (None, found):
            raise _error("ImageDigestDoesNotMatchException", f"The image has the digest {found}.")
        try:
            images.require_mutable(repository, tag)
        except RegistryError as error:
            why = immutable_words(tag, repository_name)
            raise _error("ImageTagAlreadyExistsException", why) from error
        for image in repository.images:
            if image.get_image_digest() == found and (not tag or tag in image.image_tags):
                raise _error(
                    "ImageAlreadyExistsException",
                    f"Image with digest '{found}' and tag '{tag}' already exists in the repository "
                    f"with name '{repository_name}' in registry with id '{self.account_id}'",
                )
        _store(registry, repository_name, found, manifest, kind)
        return images.record(repository, manifest, kind, tag, found)

    ECRBackend.put_image = put_image  # type: ignore[method-assign]  # patch


def _store(registry: Gateway, name: str, digest: str, manifest: bytes, kind: str) -> None:
    if registry.upstream is None:
        return
    try:
        answer = registry.upstream.put_manifest(name, digest, manifest, kind)
    except RegistryError as error:
        raise _error("ServerException", error.message) from error
    answer.close()
    if answer.status >= 300:
        why = "One or more of the layers in the image do not exist in the repository."
        raise _error("LayersNotFoundException", why)


def _deleted_images_leave_the_registry(registry: Gateway) -> None:
    """Permanent. moto also answers nothing for an image without a tag."""
    delete_repository = ECRBackend.delete_repository

    def forget(repository: Any, digests: Iterable[str]) -> None:
        upstream = registry.upstream
        if upstream is None:
            return
        # Where that fails, what stays there is nothing that anybody could ask for.
        with contextlib.suppress(RegistryError):
            for digest in digests:
                upstream.delete_manifest(repository.name, digest)

    def batch_delete_image(
        self: Any,
        repository_name: str,
        registry_id: str | None = None,
        image_ids: list[dict[str, str]] | None = None,
    ) -> Any:
        repository = self._get_repository(repository_name, registry_id)
        before = _digests(repository)
        answer = delete_images(repository, image_ids or [])
        forget(repository, before - _digests(repository))
        return answer

    def delete(self: Any, *args: Any, **kwargs: Any) -> Any:
        repository = delete_repository(self, *args, **kwargs)
        forget(repository, _digests(repository))
        return repository

    ECRBackend.batch_delete_image = batch_delete_image  # type: ignore[method-assign]  # patch
    ECRBackend.delete_repository = delete  # type: ignore[method-assign]  # patch


def _the_size_is_that_of_the_layers() -> None:
    """moto gives the size of the image's configuration.

    Can be removed when ``Image.get_image_size_in_bytes`` adds the layers.
    """

    def size(self: Any) -> int | None:
        manifest = json.loads(self.image_manifest)
        if "layers" not in manifest:
            return None  # a list of manifests
        parts = [manifest.get("config", {}), *manifest["layers"]]
        return sum(int(part.get("size", 0)) for part in parts)

    Image.get_image_size_in_bytes = size  # type: ignore[method-assign]  # patch


def _images_are_filtered_by_their_tags() -> None:
    """moto's DescribeImages gives all images, whatever the filter: a client would delete them all.

    Can be removed when ``ECRResponse.describe_images`` reads ``filter``.
    """
    original = ECRResponse.describe_images

    def describe_images(self: Any) -> ActionResult:
        answer = original(self)
        wanted = (self._get_param("filter") or {}).get("tagStatus", "ANY")
        if wanted == "ANY":
            return answer
        tagged, result = wanted == "TAGGED", cast(dict[str, list[Image]], answer.result)
        found = [i for i in result["imageDetails"] if hasattr(i, "image_tags") is tagged]
        return ActionResult({"imageDetails": found})

    ECRResponse.describe_images = describe_images  # type: ignore[method-assign]  # patch


def _digests(repository: Any) -> set[str]:
    return {str(image.get_image_digest()) for image in repository.images}


def _media_type(manifest: str) -> str:
    try:
        found = json.loads(manifest)
        return str(found["mediaType"])
    except (ValueError, KeyError, TypeError) as error:
        why = "image manifest mediatype not provided in manifest or parameter"
        raise _error("InvalidParameterException", why) from error


def _error(code: str, message: str) -> ServiceException:
    # A class of moto's ECR: where a class is defined says which service's errors are meant.
    return InvalidParameterException(code, message)
