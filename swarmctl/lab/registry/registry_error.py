"""What the registry answers to a request that it refuses, in ECR's words.

The form is that of the distribution specification, the words are those that clients of ECR report.
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from swarmctl.lab.access.api_error import status_line


class RegistryError(Exception):
    """A request that is refused."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """``code`` is the specification's, for example ``NAME_UNKNOWN``."""
        super().__init__(code, message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def answer(self, start_response: Any) -> Iterable[bytes]:
        """The HTTP answer (WSGI)."""
        body = json.dumps({"errors": [{"code": self.code, "message": self.message}]}).encode()
        headers = {
            "Docker-Distribution-Api-Version": "registry/2.0",
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": str(len(body)),
            **self.headers,
        }
        start_response(status_line(self.status), list(headers.items()))
        return [body]


def no_credentials() -> RegistryError:
    """Without this challenge no client sends its credentials."""
    challenge = {"Www-Authenticate": 'Basic realm="ecr",service="ecr.amazonaws.com"'}
    return RegistryError(401, "UNAUTHORIZED", "Not Authorized", challenge)


def token_ended() -> RegistryError:
    """403, not 401: https://github.com/awslabs/amazon-ecr-credential-helper/issues/7."""
    why = "Your authorization token has expired. Reauthenticate and try again."
    return RegistryError(403, "DENIED", why)


def unknown_repository(name: str, account: str) -> RegistryError:
    """The repository must be created first."""
    why = f"The repository with name '{name}' does not exist in the registry with id '{account}'"
    return RegistryError(404, "NAME_UNKNOWN", why)


def unknown_image() -> RegistryError:
    """No image has that tag or digest."""
    return RegistryError(404, "MANIFEST_UNKNOWN", "Requested image not found")


def immutable(tag: str, repository: str) -> RegistryError:
    """https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html."""
    return RegistryError(400, "TAG_INVALID", immutable_words(tag, repository))


def immutable_words(tag: str, repository: str) -> str:
    """The same words are those of the API's ``ImageTagAlreadyExistsException``."""
    return (
        f"The image tag '{tag}' already exists in the '{repository}' repository and cannot be "
        "overwritten because the tag is immutable."
    )


def layer_too_large(limit: int) -> RegistryError:
    """The words are the lab's: ECR's quota is 52,000 MiB, which nobody reports to have reached."""
    why = f"The layer exceeds the maximum size of {limit} bytes."
    return RegistryError(400, "SIZE_INVALID", why)


def manifest_too_large(limit: int) -> RegistryError:
    """As the docker-registry behind has it."""
    return RegistryError(400, "MANIFEST_INVALID", f"The manifest exceeds {limit} bytes.")


def broken_off() -> RegistryError:
    """Nobody hears it: the client has gone."""
    return RegistryError(400, "BLOB_UPLOAD_INVALID", "The body of the request is incomplete.")


def full() -> RegistryError:
    """Words of Debian's docker-registry on a full disk; ECR's is never full."""
    return RegistryError(500, "UNKNOWN", "unknown error: no space left on device")


def unsupported() -> RegistryError:
    """Not a part of the protocol that ECR has."""
    return RegistryError(405, "UNSUPPORTED", "The operation is unsupported.")


def unavailable(why: str) -> RegistryError:
    """The registry behind does not answer."""
    return RegistryError(503, "UNAVAILABLE", why)
