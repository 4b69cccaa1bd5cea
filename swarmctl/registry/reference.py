"""Names of images: ``[host/]repository[:tag][@digest]``. Pure.

Modelled on github.com/distribution/reference, as the docker CLI reads them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DOCKER_HUB = "docker.io"

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(
    r"(?:(?P<host>[a-zA-Z0-9.-]+(?::[0-9]+)?|\[[0-9a-fA-F:]+\](?::[0-9]+)?)/)?"
    rf"(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,}))?\Z",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of an image.

    Attributes:
        name: as it is written, without tag and digest: ``httpd``.
        host: of the registry: ``docker.io``.
        repository: as the registry's API names it: ``library/httpd``.
        tag: ``""`` if none is written.
        digest: ``sha256:…``; ``""`` if none is written.
    """

    name: str
    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        tag, digest = self.tag and f":{self.tag}", self.digest and f"@{self.digest}"
        return f"{self.name}{tag}{digest}"

    @property
    def version(self) -> str:
        """What the registry's API is asked for: the digest, else the tag."""
        return self.digest or self.tag or "latest"


def parse(image: str) -> Reference | None:
    """Read an image's name; ``None`` if it is none."""
    if (found := _NAME.match(image)) is None:
        return None
    host, path = found["host"], found["path"]
    name = f"{host}/{path}" if host else path
    if host and not _is_host(host):
        if not re.fullmatch(_COMPONENT, host):
            return None
        host, path = "", name
    if host in (None, "", DOCKER_HUB, f"index.{DOCKER_HUB}"):
        host, path = DOCKER_HUB, path if "/" in path else f"library/{path}"
    return Reference(name, host, path, found["tag"] or "", found["digest"] or "")


def host_of(image: str) -> str:
    """The host of an image's registry; ``""`` if this is no image's name."""
    found = parse(image)
    return found.host if found else ""


def with_tag(image: str) -> str:
    """The name with the tag that Docker adds to a name without one."""
    found = parse(image)
    return f"{image}:latest" if found and not found.tag and not found.digest else image


def _is_host(word: str) -> bool:
    return any(sign in word for sign in ".:") or word == "localhost" or word != word.lower()
