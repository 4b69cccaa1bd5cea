"""A rendered stack, and how it is written to disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from swarmctl.errors import SwarmctlError
from swarmctl.reading.files import PRIVATE, write_whole
from swarmctl.stack.render.stack_files import OUTPUT


@dataclass(frozen=True, slots=True)
class Rendered:
    """A compose file and the files it names.

    Attributes:
        files: relative POSIX path → content.
        overlays: further compose files to merge over the first, in this order: name → text.
    """

    compose: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    overlays: Mapping[str, str] = field(default_factory=dict)

    @property
    def compose_texts(self) -> tuple[str, ...]:
        """The text of every compose file."""
        return (self.compose, *self.overlays.values())

    def outputs(self, target: Path) -> dict[Path, bytes]:
        """Path → content of every file to write, for the target ``FILE.yml`` or a folder."""
        compose = compose_path(target)
        beside = {compose.parent / name: content for name, content in self.files.items()}
        return {compose: self.compose.encode(), **beside}


def compose_path(target: Path) -> Path:
    """The compose file of a target, which may be a folder."""
    is_folder = target.is_dir() or target.suffix not in (".yml", ".yaml")
    return target / OUTPUT if is_folder else target


def outdated(rendered: Rendered, target: Path) -> list[Path]:
    """The files that are missing at the target, or differ from the rendered ones."""
    return [
        path
        for path, content in rendered.outputs(target).items()
        if not path.is_file() or path.read_bytes() != content
    ]


def write(rendered: Rendered, target: Path) -> list[Path]:
    """Write a rendered stack; returns the files that changed.

    Each file is replaced in one step, the compose file last. Only the user can read them: values
    may be secrets.

    Args:
        rendered: what to write.
        target: the compose file (``*.yml``, ``*.yaml``), or the folder for ``docker-compose.yml``.

    Raises:
        SwarmctlError: a file cannot be written.
    """
    try:
        changed = outdated(rendered, target)
        contents = rendered.outputs(target)
        for path in reversed(changed):
            write_whole(path, contents[path], PRIVATE)
    except OSError as fault:
        raise SwarmctlError(f"cannot write {fault.filename}: {fault.strerror}") from fault
    return changed
