"""Variables with almost the name of a setting: Ansible ignores what nothing reads."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from ansible.parsing.dataloader import DataLoader
from ansible.utils.vars import load_extra_vars

_PROJECT = Path(__file__).parents[3]
_SETTINGS = _PROJECT / "inventory/group_vars/all.yml"
# A slip, such as worker for workers. No variable of a playbook is that close to a setting.
_SIMILARITY = 0.85


def misspelt_errors(settings: Collection[str]) -> list[str]:
    """What is wrong with the names that were given with ``-e`` or in ``group_vars/all.yml``.

    Args:
        settings: the names of all settings.
    """
    given = {*load_extra_vars(DataLoader()), *_names(_SETTINGS)}
    return misspelt(given - _of_roles(), {*settings, "region"})


def _of_roles() -> set[str]:
    """The variables that a role reads, discovery_image_base beside discovery_image."""
    return {name for file in _PROJECT.glob("roles/*/defaults/main.yml") for name in _names(file)}


def _names(file: Path) -> list[str]:
    return re.findall(r"^(\w+):", file.read_text(encoding="utf-8"), re.MULTILINE)


def misspelt(names: Iterable[str], settings: Collection[str]) -> list[str]:
    """An error for each name that is no setting, but almost one."""
    near = {
        name: difflib.get_close_matches(name, settings, n=1, cutoff=_SIMILARITY)
        for name in sorted(names)
        if name not in settings
    }
    return [
        f"{name} is no setting, and nothing reads it: did you mean {found[0]}?"
        for name, found in near.items()
        if found
    ]


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """The filters by name."""
        return {"misspelt_errors": misspelt_errors}
