"""What is linted: compose files, and stacks of ours, which are rendered first."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swarmctl.errors import UsageError
from swarmctl.reading.texts import reason
from swarmctl.stack.compose.document import MAX_BYTES

TEMPLATE = "docker-compose.yml.j2"
_NAMES = (
    "docker-stack.yml",
    "docker-stack.yaml",
    "stack.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
    "compose.yml",
    "compose.yaml",
)


@dataclass(frozen=True, slots=True)
class Source:
    """A compose file's bytes, and where they are from."""

    label: str  # the path as the user would write it
    data: bytes
    folder: Path
    files: Mapping[str, bytes] = field(default_factory=dict)  # rendered beside it
    lines: Sequence[int] = ()  # of a template: the line each rendered line is from
    writable: Path | None = None  # where fixes are written

    def read_file(self, name: str) -> bytes | None:
        """The content of a file that the compose file names, ``None`` if there is none."""
        if name.removeprefix("./") in self.files:
            return self.files[name.removeprefix("./")]
        try:
            with (self.folder / name).open("rb") as file:
                return file.read(MAX_BYTES)
        except (OSError, ValueError):  # ValueError: a NUL in the name
            return None

    def exists(self, name: str) -> bool:
        """Whether a file that the compose file names is there."""
        return self.read_file(name) is not None

    def line(self, rendered: int) -> int:
        """The line to show for a line of the linted text."""
        if not self.lines:
            return rendered
        return self.lines[min(rendered, len(self.lines)) - 1]


def find(
    name: str, values: Sequence[Path] = (), overrides: Mapping[str, Any] | None = None
) -> Source:
    """Open what a user names: a compose file, a folder with one, a stack, or ``-`` for stdin.

    Args:
        name: the path, or the name of a stack.
        values: values files for a stack's template.
        overrides: values for a stack's template; they win.

    Raises:
        UsageError: there is nothing of that name, it cannot be read, or the stack does not render.
    """
    if name == "-":
        return Source("<stdin>", sys.stdin.buffer.read(MAX_BYTES + 1), Path.cwd())
    path = Path(name)
    if path.name == TEMPLATE or (path / TEMPLATE).is_file():
        return _rendered(path if path.is_dir() else path.parent, values, overrides)
    if path.is_dir():
        return _in_folder(path)
    if not path.exists() and "/" not in name:
        return _named(name, values, overrides)
    return _file(path)


def _file(path: Path) -> Source:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as fault:
        raise UsageError(f"cannot read {path}: {reason(fault)}", "name a compose file") from fault
    return Source(str(path), data, path.parent, writable=path)


def _in_folder(folder: Path) -> Source:
    for name in _NAMES:
        if (folder / name).is_file():
            return _file(folder / name)
    raise UsageError(f"no compose file in {folder}", f"looked for {TEMPLATE}, {', '.join(_NAMES)}")


def _named(name: str, values: Sequence[Path], overrides: Mapping[str, Any] | None) -> Source:
    from swarmctl.stack.render.folders import stack_names
    from swarmctl.stack.render.source import find_stack

    if name in stack_names():
        return _rendered(find_stack(name), values, overrides)
    known = ", ".join(stack_names()) or "none"
    raise UsageError(f"there is no file {name!r}", f"name a compose file, or a stack: {known}")


def _rendered(folder: Path, values: Sequence[Path], overrides: Mapping[str, Any] | None) -> Source:
    from swarmctl.stack.render.source import render_stack

    rendered = render_stack(folder, values, overrides)
    template = (folder / TEMPLATE).read_text(encoding="utf-8")
    return Source(
        label=str(folder / TEMPLATE),
        data=rendered.compose.encode(),
        folder=folder,
        files=rendered.files,
        lines=origins(template, rendered.compose),
    )


def origins(template: str, rendered: str) -> list[int]:
    """For each line of a rendered text the line of its template it (most likely) is from."""
    written, result = template.splitlines(), rendered.splitlines()
    lines: list[int] = []
    matcher = difflib.SequenceMatcher(None, written, result, autojunk=False)
    for _, start, end, first, last in matcher.get_opcodes():
        for step in range(last - first):
            lines.append(min(start + step, max(start, end - 1)) + 1)
    return lines or [1]
