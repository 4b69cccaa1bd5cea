"""Which of the nodes that the settings do not have may be removed: ``-e allow_shrink=…``."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

_ALL, _NONE = ("true", "yes"), ("", "false", "no")


def allowed_to_leave(
    surplus: Collection[str], allowed: Any, planned: Collection[str]
) -> dict[str, Any]:
    """The nodes to remove, and what is wrong with the wish.

    Args:
        surplus: full names of nodes that exist and that the settings do not have.
        allowed: ``true``: all of them; or full or short names, separated by commas. One that no
            node has was removed before.
        planned: full names of the nodes that the settings have.

    Returns:
        ``{"asked": whether it is a wish at all, "names": […], "errors": […]}``
    """
    text = str(allowed).strip()
    if text.lower() in _NONE:
        return {"asked": False, "names": [], "errors": []}
    if text.lower() in _ALL:
        return {"asked": True, "names": sorted(surplus), "errors": []}
    wanted = {name.strip() for name in text.split(",")}
    return {
        "asked": True,
        "names": [name for name in sorted(surplus) if _names(name) & wanted],
        "errors": [
            f"allow_shrink names {name}, one of the {len(planned)} nodes of the settings: "
            "lower `workers` or `managers`, which remove the highest numbers"
            for name in planned
            if _names(name) & wanted
        ],
    }


def _names(node: str) -> set[str]:
    return {node, node.rsplit("_", 1)[-1]}


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {"allowed_to_leave": allowed_to_leave}
