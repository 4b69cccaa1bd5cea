"""Names of platforms: ``os/architecture[/variant]``. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarmctl.errors import UsageError
from swarmctl.reading.names import unknown

# Of Docker's official images. https://github.com/docker-library/official-images#architectures-other-than-amd64
_KNOWN = (
    "linux/386",
    "linux/amd64",
    "linux/arm/v5",
    "linux/arm/v6",
    "linux/arm/v7",
    "linux/arm64",
    "linux/arm64/v8",
    "linux/loong64",
    "linux/mips64le",
    "linux/ppc64le",
    "linux/riscv64",
    "linux/s390x",
    "windows/amd64",
)


def require_known(platform: str) -> None:
    """Refuse a platform that does not exist: an old builder ignores it.

    Raises:
        UsageError: it is none; the hint lists all.
    """
    if "," in platform:
        raise UsageError(
            f"{platform!r} names several platforms", "name one: --platform linux/arm64"
        )
    if platform and platform not in _KNOWN:
        raise unknown("platform", platform, _KNOWN)


def of_image(inspected: Mapping[str, Any]) -> str:
    """The platform of an image, as the Engine describes it."""
    variant = inspected.get("Variant") or ""
    return "/".join(filter(None, (inspected.get("Os"), inspected.get("Architecture"), variant)))


def same(one: str, other: str) -> bool:
    """Whether two names mean one platform: ``arm64`` is ``arm64/v8``."""
    return one.removesuffix("/v8") == other.removesuffix("/v8")
