"""Where stacks are found by their names. Imports nothing heavy: Tab completes these names."""

from __future__ import annotations

import os
from pathlib import Path

from swarmctl.stack.render.stack_files import TEMPLATE


def stacks_dir() -> Path:
    """The folder in which stacks are found by name.

    ``$SWARMCTL_STACKS``, else the nearest ``stacks`` folder from the working directory upwards,
    else that of the checkout that swarmctl runs from.
    """
    if configured := os.environ.get("SWARMCTL_STACKS"):
        return Path(configured)
    here = Path.cwd()
    checkout = Path(__file__).resolve().parents[3]
    candidates = [folder / "stacks" for folder in (here, *here.parents, checkout)]
    return next((folder for folder in candidates if folder.is_dir()), candidates[0])


def stack_names() -> list[str]:
    """The names of all stacks that can be rendered."""
    folder = stacks_dir()
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if (path / TEMPLATE).is_file())
