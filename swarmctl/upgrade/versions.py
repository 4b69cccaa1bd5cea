"""Versions of Engines and of their packages: pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from swarmctl.errors import UsageError

# The least version of the API that an Engine answers, from this major version on.
# https://docs.docker.com/reference/api/engine/version-history/
_LEAST_API = ((29, (1, 44)), (25, (1, 24)))
_NUMBERS = re.compile(r"\d+(?:\.\d+)*")


def engine_of(package: str) -> str:
    """The version that the Engine of a package says of itself.

    ``26.1.5+dfsg1`` of ``26.1.5+dfsg1-9+b9``, ``27.3.1`` of ``5:27.3.1-1~debian.13~trixie``.
    """
    whole = package.partition(":")[2] or package
    return (whole.rpartition("-")[0] or whole).replace("~", "-")  # 28.0.0~rc.1 is 28.0.0-rc.1


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, to compare: (26, 1, 5)."""
    found = _NUMBERS.match(version)
    return tuple(map(int, found.group().split("."))) if found else ()


def same_release(one: str, other: str) -> bool:
    """Whether two Engines are of one release, whatever a distribution adds to its name."""
    return numbers(one) == numbers(other) != ()


def choose(offered: Sequence[str], wanted: str) -> str:
    """The package to install.

    Args:
        offered: versions of the package in the archive, the one to be preferred first.
        wanted: of the Engine or of the package; ``""`` for the preferred one.

    Raises:
        UsageError: the archive has none, or not this one.
    """
    for package in offered:
        if not wanted or wanted in (package, engine_of(package)):
            return package
    for package in offered:
        if wanted == ".".join(map(str, numbers(engine_of(package)))):
            return package
    there = ", ".join(offered) or "none"
    raise UsageError(f"no Engine {wanted or 'at all'} in the archive; it has {there}")


def least_api(engine: str) -> tuple[int, int]:
    """The least version of the API that this Engine answers."""
    major = (numbers(engine) or (0,))[0]
    return next((api for since, api in _LEAST_API if major >= since), (1, 12))
