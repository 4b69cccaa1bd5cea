"""What a request to the registry asks for. Pure.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from swarmctl.lab.registry.registry_error import unsupported

_PATH = re.compile(
    r"/v2/(?P<name>.+)/"
    r"(?P<kind>manifests/(?P<reference>[^/]+)|tags/list|blobs/uploads/?|blobs/uploads/[^/]+"
    r"|blobs/sha256:[0-9a-f]{64})"
)
# What each needs the permission for.
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
_ACTIONS = {
    ("GET", "manifests"): "BatchGetImage",
    ("HEAD", "manifests"): "BatchGetImage",
    ("PUT", "manifests"): "PutImage",
    ("GET", "tags"): "ListImages",
    ("GET", "blobs"): "GetDownloadUrlForLayer",
    ("HEAD", "blobs"): "BatchCheckLayerAvailability",
    ("POST", "uploads"): "InitiateLayerUpload",
    ("GET", "uploads"): "UploadLayerPart",
    ("PATCH", "uploads"): "UploadLayerPart",
    ("PUT", "uploads"): "CompleteLayerUpload",
    ("DELETE", "uploads"): "UploadLayerPart",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request below ``/v2/``."""

    action: str  # of ECR: what the caller must be allowed to do
    repository: str = ""  # "": the request only asks whether the credentials are good
    kind: str = ""  # "manifests", "tags", "blobs" or "uploads"
    reference: str = ""  # a manifest's tag or digest

    @property
    def digest(self) -> str:
        """The reference, if it is a digest."""
        return self.reference if ":" in self.reference else ""

    @property
    def tag(self) -> str:
        """The reference, if it is a tag."""
        return "" if ":" in self.reference else self.reference


def read(method: str, path: str) -> Wanted:
    """What a request asks for.

    Raises:
        RegistryError: ECR has no such request.
    """
    if path in ("/v2", "/v2/") and method in ("GET", "HEAD"):
        return Wanted("Login")
    if found := _PATH.fullmatch(path):
        first, _, rest = found["kind"].partition("/")
        kind = "uploads" if first == "blobs" and rest.startswith("uploads") else first
        if action := _ACTIONS.get((method, kind)):
            return Wanted(action, found["name"], kind, found["reference"] or "")
    raise unsupported()
