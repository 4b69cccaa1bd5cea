"""Elastic Container Registry: an authorization token, repositories, and the images in them.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import botocore.config

from swarmctl.cloud.session import aws_client, aws_session
from swarmctl.cloud.words import CloudError, errors_in_words

API = "ECR"
_DELETED_A_CALL = 100

_CONFIG = botocore.config.Config(
    retries={"mode": "standard", "max_attempts": 4}, connect_timeout=5, read_timeout=20
)


class EcrError(CloudError):
    """A call failed."""


@dataclass(frozen=True, slots=True)
class Token:
    """A login to all of an account's repositories in a region; lasts 12 hours at AWS."""

    host: str  # of the registry
    username: str
    password: str = field(repr=False)
    expires_at: datetime  # aware


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image in a repository."""

    digest: str
    tags: tuple[str, ...]
    size: int  # bytes, compressed
    pushed_at: datetime  # aware


class Ecr:
    """The API of one region. All methods raise ``EcrError`` when a call fails.

    Args:
        client: boto3's client; ``None`` for the environment's.
        region: overrides the environment's.
    """

    def __init__(self, client: Any = None, region: str | None = None) -> None:
        self._api: Any = client or _client(region)

    def token(self) -> Token:
        """A new token, and the registry it is for."""
        with errors_in_words(API, EcrError):
            (data,) = self._api.get_authorization_token()["authorizationData"]
        try:
            login = base64.b64decode(data["authorizationToken"]).decode()
            username, _, password = login.partition(":")
        except (binascii.Error, UnicodeDecodeError) as fault:
            raise EcrError(f"{API} gave a token that cannot be read") from fault
        host = urlsplit(data["proxyEndpoint"]).netloc
        return Token(host, username, password, data["expiresAt"])

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """One call of boto3's client."""
        with errors_in_words(API, EcrError):
            answer: dict[str, Any] = getattr(self._api, operation)(**arguments)
        return answer

    def described(self) -> list[dict[str, Any]]:
        """All repositories of the account in the region, as the API describes them."""
        with errors_in_words(API, EcrError):
            pages = self._api.get_paginator("describe_repositories").paginate()
            return [repository for page in pages for repository in page["repositories"]]

    def images(self, repository: str) -> list[StoredImage]:
        """The images of a repository, the newest first; none if there is no such repository."""
        try:
            with errors_in_words(API, EcrError):
                pages = self._api.get_paginator("describe_images").paginate(
                    repositoryName=repository
                )
                found = [_stored(image) for page in pages for image in page["imageDetails"]]
        except EcrError as fault:
            if fault.code == "RepositoryNotFound":
                return []
            raise
        return sorted(found, key=lambda image: image.pushed_at, reverse=True)

    def delete(self, repository: str, digests: Iterable[str]) -> None:
        """Delete images with all their tags; one that is gone already is no error."""
        wanted: Sequence[str] = list(digests)
        for start in range(0, len(wanted), _DELETED_A_CALL):
            some = [{"imageDigest": d} for d in wanted[start : start + _DELETED_A_CALL]]
            with errors_in_words(API, EcrError):
                answer = self._api.batch_delete_image(repositoryName=repository, imageIds=some)
            for failure in answer.get("failures") or ():
                if failure["failureCode"] != "ImageNotFound":
                    raise EcrError(
                        f"{API} did not delete {repository}@{failure['imageId']['imageDigest']}: "
                        f"{failure['failureReason']}",
                        code=failure["failureCode"],
                    )


def _stored(image: dict[str, Any]) -> StoredImage:
    return StoredImage(
        image["imageDigest"],
        tuple(sorted(image.get("imageTags") or ())),
        int(image.get("imageSizeInBytes") or 0),
        image["imagePushedAt"],
    )


def _client(region: str | None) -> Any:
    return aws_client(aws_session(region), "ecr", _CONFIG)
