"""Find a stack by its name or path, and render it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swarmctl.errors import UsageError
from swarmctl.images.names import Names, local_names
from swarmctl.reading.names import unknown
from swarmctl.stack.render.compose_files import (
    compose_document,
    load_compose_files,
    named_files,
    read_named,
)
from swarmctl.stack.render.folders import stack_names, stacks_dir
from swarmctl.stack.render.output import Rendered
from swarmctl.stack.render.run_template import run_template
from swarmctl.stack.render.settings import Settings
from swarmctl.stack.render.stack_files import TEMPLATE
from swarmctl.stack.render.values import layered, parse_set, unknown_overrides


@dataclass(frozen=True, slots=True)
class StackSource:
    """A stack to deploy.

    Attributes:
        name: the name to deploy it under.
        rendered: its compose files and the files they name.
        notes: remarks for the user.
    """

    name: str
    rendered: Rendered
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StackChoice:
    """What a command line names.

    Attributes:
        name: the name to deploy it under.
        given: the settings of the command line.
        folder: of a stack with a template; ``None`` for compose files.
        compose_files: merged, the first one first.
    """

    name: str
    given: Settings = field(default_factory=Settings)
    folder: Path | None = None
    compose_files: tuple[Path, ...] = ()

    def load(self, settings: Settings | None = None, images: Names = local_names) -> StackSource:
        """Render the template, or read the files.

        Args:
            settings: for the template; by default the given ones.
            images: names the images that the template asks for.

        Raises:
            UsageError: the stack cannot be rendered or read.
        """
        if self.folder is None:
            return StackSource(self.name, load_compose_files(self.compose_files))
        used = self.given if settings is None else settings
        unknown_names = unknown_overrides(self.folder, used.files, self.given.values)
        overrides = {"stack_name": self.name, **used.values}
        rendered = render_stack(self.folder, used.files, overrides, images)
        return StackSource(self.name, rendered, tuple(f"note: {line}" for line in unknown_names))


def choose_source(
    stack: str = "",
    compose_files: Sequence[Path] = (),
    values_files: Sequence[Path] = (),
    assignments: Sequence[str] = (),
    name: str | None = None,
) -> StackChoice:
    """Find what a command line names; nothing is rendered yet.

    Args:
        stack: a stack's name, folder or compose file; with ``compose_files``, the name to deploy
            under.
        compose_files: compose files to merge, the first one first.
        values_files: values for the template.
        assignments: further values, as ``a.b=v``.
        name: the name to deploy under; by default the stack's or the compose file's folder's.

    Raises:
        UsageError: there is no such stack or values file, or Swarm does not accept the name.
    """
    if compose_files:
        name = name or stack
    elif stack.endswith((".yml", ".yaml")):
        compose_files = [Path(stack)]
    if compose_files:
        if values_files or assignments:
            raise UsageError(f"{compose_files[0]} is not a template, so it has no values to set")
        load_compose_files(compose_files)  # raises if they cannot be read
        name = name or compose_files[0].resolve().parent.name
        return StackChoice(_valid(name), compose_files=tuple(compose_files))
    if not stack:
        raise UsageError("no stack to deploy", "give a stack's name or folder, or -c FILE")
    given = Settings(tuple(values_files), parse_set(assignments))
    folder = find_stack(stack)
    layered(folder, given.files, given.values)  # raises if they cannot be read or merged
    return StackChoice(_valid(name or folder.resolve().name), given, folder)


def render_stack(
    stack: Path,
    values_files: Sequence[Path] = (),
    overrides: Mapping[str, Any] | None = None,
    images: Names = local_names,
) -> Rendered:
    """Render a stack, with all files that its compose file names.

    Args:
        stack: the stack's folder.
        values_files: YAML files over the stack's ``values.yml``; later ones win.
        overrides: dotted name → value; they win over all files.
        images: names the images that the template asks for.

    Raises:
        UsageError: bad values, an undefined variable, a failing template, or output that is not a
            compose file; the message has file:line.
    """
    values = {"stack_name": stack.resolve().name, **layered(stack, values_files, overrides)}
    filled = run_template(stack, values)
    if filled.questions:  # their names may take questions to a registry; the template is quick
        filled = run_template(stack, values, images(stack, values, filled.questions))
    text, attached = filled.text, filled.files
    for name in named_files(compose_document(text, stack / TEMPLATE)):
        if name not in attached:
            attached[name] = read_named(stack, name, stack / TEMPLATE)
    return Rendered(text, files=dict(sorted(attached.items())))


def _valid(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", name):
        raise UsageError(
            f"{name!r} cannot be the name of a stack",
            "use letters, digits, _ . and -, beginning with a letter or digit: --as NAME",
        )
    return name


def find_stack(name_or_path: str) -> Path:
    """The folder of a stack.

    Args:
        name_or_path: a name in :func:`stacks_dir`, or a path to a stack's folder or template.

    Raises:
        UsageError: there is no such stack; the hint lists the existing ones.
    """
    if name_or_path in stack_names():
        return stacks_dir() / name_or_path
    path = Path(name_or_path)
    folder = path.parent if path.name == TEMPLATE else path
    if (folder / TEMPLATE).is_file():
        return folder
    if "/" in name_or_path:
        raise UsageError(
            f"no stack in {name_or_path}: it has no {TEMPLATE}",
            f"stacks in {stacks_dir()}: {', '.join(stack_names()) or 'none'}",
        )
    raise unknown("stack", name_or_path, stack_names())
