"""What a node's archive offers, from the output of its package manager."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from swarmctl.errors import UsageError
from swarmctl.upgrade.survey import from_apt, offer
from swarmctl.upgrade.versions import engine_of


def engine_from_apt(policy: str, wanted: str) -> dict[str, str]:
    """See :func:`swarmctl.upgrade.survey.from_apt`; with ``error`` instead of an exception."""
    try:
        return {**from_apt(policy, wanted), "error": ""}
    except UsageError as fault:
        return {"error": fault.message}


def engine_from_dnf(offered: str, installed: str, wanted: str) -> dict[str, str]:
    """The same from lines of ``dnf repoquery`` and ``rpm --query``, VERSION-RELEASE each."""
    versions = sorted(set(offered.split()), key=_numbers, reverse=True)
    try:
        return {**offer(installed, versions, wanted), "error": ""}
    except UsageError as fault:
        return {"error": fault.message}


def _numbers(version: str) -> list[tuple[int, str]]:
    parts = version.replace("-", ".").split(".")
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {
            "engine_from_apt": engine_from_apt,
            "engine_from_dnf": engine_from_dnf,
            "engine_of_package": engine_of,
        }
