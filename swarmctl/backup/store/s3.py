"""Objects under a prefix of an S3 bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import botocore.config

from swarmctl.cloud.session import aws_client, aws_session
from swarmctl.cloud.words import CloudError, errors_in_words

API = "S3"

# Without the checksums that are sent after the content: not every S3 of another maker takes them,
# and a backup has its own.
_CONFIG = botocore.config.Config(
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    retries={"mode": "standard", "max_attempts": 5},
    connect_timeout=5,
    read_timeout=60,
)


class S3:
    """The objects under a prefix. All methods raise ``CloudError`` when a call fails.

    Args:
        bucket: the bucket; it must exist.
        prefix: ``""``, or a path that ends with ``/``.
        client: boto3's client; ``None`` for the environment's.
    """

    def __init__(self, bucket: str, prefix: str, client: Any = None) -> None:
        self._bucket, self._prefix = bucket, prefix
        self._api: Any = client or aws_client(aws_session(), "s3", _CONFIG)

    def names(self) -> list[str]:
        """The names right under the prefix, without it."""
        found: list[str] = []
        pages = self._api.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix, Delimiter="/"
        )
        with errors_in_words(API):
            for page in pages:
                found += [o["Key"].removeprefix(self._prefix) for o in page.get("Contents", ())]
        return found

    def read(self, name: str) -> bytes | None:
        """A small object; ``None``: there is none."""
        try:
            with errors_in_words(API):
                answer = self._api.get_object(Bucket=self._bucket, Key=self._prefix + name)
                return bytes(answer["Body"].read())
        except CloudError as fault:
            if fault.code in ("NoSuchKey", "404"):
                return None
            raise

    def download(self, name: str, path: Path) -> None:
        """Write an object to a file."""
        with errors_in_words(API), path.open("wb") as file:
            self._api.download_fileobj(self._bucket, self._prefix + name, file)

    def upload(self, path: Path, name: str) -> None:
        """Write a file to an object."""
        with errors_in_words(API), path.open("rb") as file:
            self._api.upload_fileobj(file, self._bucket, self._prefix + name)

    def write(self, name: str, data: bytes) -> None:
        """Write a small object."""
        with errors_in_words(API):
            self._api.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=data)

    def delete(self, name: str) -> None:
        """Remove an object; one that does not exist is no error."""
        with errors_in_words(API):
            self._api.delete_object(Bucket=self._bucket, Key=self._prefix + name)
