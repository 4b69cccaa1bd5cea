"""The files of a stack's folder, and no others."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from swarmctl.errors import UsageError
from swarmctl.reading.names import suggestion

TEMPLATE = "docker-compose.yml.j2"
OUTPUT = "docker-compose.yml"


class MissingFileError(LookupError):
    """The stack has no such file, or the path leads out of its folder."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def read(stack: Path, name: str) -> bytes:
    """The content of a file of the stack.

    Args:
        stack: the folder.
        name: a relative path without ``..``: a rendered file is written under the same path.

    Raises:
        MissingFileError: it is not such a path, there is no such file, or it is a link to another
            folder.
    """
    path = (stack / name).resolve()
    if leads_out(name) or not path.is_relative_to(stack.resolve()) or not path.is_file():
        raise MissingFileError(name)
    return path.read_bytes()


def leads_out(name: str) -> bool:
    """Whether a path is absolute or has ``..`` in it."""
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts


def missing_file(name: str, where: str, stack: Path) -> UsageError:
    """The error for a file that a stack does not have; names the nearest that it has."""
    there = sorted(str(path.relative_to(stack)) for path in stack.rglob("*") if path.is_file())
    hint = f"files must be in {stack}: {', '.join(there)}"
    if leads_out(name):
        return UsageError(f"{where}: {name!r} leads out of the stack's folder", hint)
    if (stack / name).is_file():
        target = (stack / name).resolve()
        return UsageError(f"{where}: {name!r} is a link out of the stack's folder: {target}", hint)
    return UsageError(
        f"{where}: there is no file {name!r} in the stack",
        f"{suggestion(name, there)} {hint}".lstrip(),
    )
