"""The tag of the agent's image: it changes with what the image is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Of the package's files: those in pyproject.toml.
SUFFIXES = (".py", ".j2", ".json", ".yml", ".typed")


def source_tag(project: str, base: str) -> str:
    """A hash of everything that goes into the image, but for the lab's own images.

    Args:
        project: the project's directory.
        base: the image that it is built on.
    """
    root = Path(project)
    digest = hashlib.sha256(base.encode())
    files = [root / "pyproject.toml", root / "requirements.txt"]
    files += sorted((root / "stacks/discovery/image").iterdir())
    files += sorted(p for p in (root / "swarmctl").rglob("*") if p.suffix in SUFFIXES)
    for path in files:
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {"source_tag": source_tag}
