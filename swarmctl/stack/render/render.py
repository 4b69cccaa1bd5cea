"""From a template and values to the compose file that ``docker stack deploy`` takes.

A stack is a folder::

    stacks/<name>/docker-compose.yml.j2   the template (Jinja2)
    stacks/<name>/values.yml              every value it uses, with its default
    stacks/<name>/…                       files the template includes or attaches

The output is the template's own text with the values filled in: order and comments stay, and the
same input gives the same bytes (no clock, no randomness). What a reader of YAML would take for
something else is quoted (:mod:`swarmctl.stack.render.quoting`). What a template can say is in
:mod:`swarmctl.stack.render.template`.

A plain file that ``configs``, ``secrets`` or ``env_file`` name by a relative path goes beside the
output as well, without ``attach``. So the output is one folder that can be copied and deployed::

    swarmctl stack render three_tier -o build/three_tier/
    build/three_tier/docker-compose.yml
    build/three_tier/httpd.conf
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import jinja2

from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.reading.document import load
from swarmctl.reading.files import write_whole
from swarmctl.reading.names import unknown
from swarmctl.reading.yaml_nodes import YamlError
from swarmctl.stack.render import template
from swarmctl.stack.render.template import OUTPUT, TEMPLATE, read
from swarmctl.stack.render.template_faults import explained, missing_file
from swarmctl.stack.render.values import layered


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered stack: the compose file, and the files that belong beside it."""

    compose: str
    files: Mapping[str, bytes] = field(default_factory=dict)  # relative POSIX path → content

    def outputs(self, target: Path) -> dict[Path, bytes]:
        """Every file to write, for an output given as ``FILE`` or as a folder ``DIR/``."""
        compose = compose_path(target)
        beside = {compose.parent / name: content for name, content in self.files.items()}
        return {compose: self.compose.encode(), **beside}


def stacks_dir() -> Path:
    """Where stacks are looked up by name.

    ``$SWARMCTL_STACKS``, else the nearest ``stacks`` folder from the working directory upwards,
    else the one of the checkout that swarmctl runs from.
    """
    configured = os.environ.get("SWARMCTL_STACKS")
    if configured:
        return Path(configured)
    here = Path.cwd()
    checkout = Path(__file__).resolve().parents[2]
    candidates = [folder / "stacks" for folder in (here, *here.parents, checkout)]
    return next((folder for folder in candidates if folder.is_dir()), candidates[0])


def stack_names() -> list[str]:
    """The names of all stacks that can be rendered."""
    folder = stacks_dir()
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if (path / TEMPLATE).is_file())


def find_stack(name_or_path: str) -> Path:
    """The folder of a stack.

    Args:
        name_or_path: a name in :func:`stacks_dir`, or a path to a stack's folder or template.

    Raises:
        UsageError: there is no such stack; the hint lists those there are.
    """
    if name_or_path in stack_names():
        return stacks_dir() / name_or_path
    path = Path(name_or_path)
    folder = path.parent if path.name == TEMPLATE else path
    if (folder / TEMPLATE).is_file():
        return folder
    if "/" in name_or_path:
        raise UsageError(
            f"no stack in {name_or_path}: there is no {TEMPLATE}",
            f"name one of {stacks_dir()}: {', '.join(stack_names()) or 'none there'}",
        )
    raise unknown("stack", name_or_path, stack_names())


def render(
    stack: Path,
    values_files: Sequence[Path] = (),
    overrides: Mapping[str, Any] | None = None,
) -> str:
    """The compose file of a stack; see :func:`render_stack`."""
    return render_stack(stack, values_files, overrides).compose


def render_stack(
    stack: Path,
    values_files: Sequence[Path] = (),
    overrides: Mapping[str, Any] | None = None,
) -> Rendered:
    """Render a stack with everything that belongs beside its compose file.

    Args:
        stack: the stack's folder.
        values_files: YAML files over the stack's ``values.yml``; later ones win.
        overrides: dotted name → value; they win over all files.

    Raises:
        UsageError: bad values, an undefined variable, a template that fails, output that is not a
            compose file; the message has file:line.
    """
    values = {"stack_name": stack.resolve().name, **layered(stack, values_files, overrides)}
    try:
        text, attached = template.fill_in(stack, values)
    except template.FAULTS as fault:
        raise explained(fault, stack, values) from fault
    document = _checked(text, stack / TEMPLATE)
    for name in _named_files(document):
        if name not in attached:
            attached[name] = _read_named(stack, name, stack / TEMPLATE)
    return Rendered(compose=text, files=dict(sorted(attached.items())))


def load_compose(path: Path) -> Rendered:
    """A compose file that is no template, with the files it names, as if it had been rendered.

    Raises:
        UsageError: it cannot be read, is no compose file, or names a file that is not there.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(f"cannot read {path}: {fault}") from fault
    document = _checked(text, path)
    named = {name: _read_named(path.parent, name, path) for name in _named_files(document)}
    return Rendered(compose=text, files=dict(sorted(named.items())))


def compose_path(target: Path) -> Path:
    """The compose file for an output that may be a folder."""
    is_folder = target.is_dir() or target.suffix not in (".yml", ".yaml")
    return target / OUTPUT if is_folder else target


def outdated(rendered: Rendered, target: Path) -> list[Path]:
    """The output files that are missing or differ from what is rendered now."""
    return [
        path
        for path, content in rendered.outputs(target).items()
        if not path.is_file() or path.read_bytes() != content
    ]


def write(rendered: Rendered, target: Path) -> list[Path]:
    """Write the compose file and what belongs beside it; returns the files that changed.

    Each file is whole at any moment, the old or the new one; the compose file comes last.

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
            write_whole(path, contents[path])
    except OSError as fault:
        raise SwarmctlError(f"cannot write {fault.filename}: {fault.strerror}") from fault
    return changed


# --- checking the output --------------------------------------------------------------------------


def _checked(text: str, source: Path) -> dict[str, Any]:
    try:
        document = load(text).value
    except YamlError as fault:
        line = fault.mark.line
        shown = f"line {line} of it: {text.splitlines()[line - 1].strip()}"
        words = f"{source}: the rendered text is not YAML: {fault.message}"
        raise UsageError(words, shown) from fault
    if not isinstance(document, dict) or not isinstance(document.get("services"), dict):
        raise UsageError(
            f"{source}: the rendered text is not a compose file",
            "it needs a map `services` at the top level",
        )
    return document


def _named_files(document: Mapping[str, Any]) -> Iterator[str]:
    """The relative paths that the compose file itself names."""
    for section in ("configs", "secrets"):
        entries = document.get(section)
        for entry in entries.values() if isinstance(entries, dict) else ():
            if isinstance(entry, dict) and isinstance(entry.get("file"), str):
                yield from _relative(entry["file"])
    for service in document["services"].values():
        listed = service.get("env_file") if isinstance(service, dict) else None
        for name in [listed] if isinstance(listed, str) else listed or ():
            if isinstance(name, str):
                yield from _relative(name)


def _relative(path: str) -> Iterator[str]:
    if not path.startswith(("/", "~", "$")):  # those name a file of the machine that deploys
        yield str(PurePosixPath(path))


def _read_named(stack: Path, name: str, source: Path) -> bytes:
    try:
        return read(stack, name)
    except jinja2.TemplateNotFound as fault:
        where = f"{source}: the compose file names {name!r}"
        template = f"{name}.j2"
        if (stack / template).is_file():
            hint = f"render that template: {{{{ attach('{template}') }}}}"
            raise UsageError(f"{where}, but the stack has {template!r}", hint) from fault
        raise missing_file(name, str(source), stack) from fault
