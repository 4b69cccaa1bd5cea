"""Compose files and the files they name: those of a rendered template, or given as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from swarmctl.errors import UsageError
from swarmctl.reading.document import load
from swarmctl.reading.texts import reason
from swarmctl.reading.yaml_nodes import YamlError
from swarmctl.stack.render.output import Rendered
from swarmctl.stack.render.stack_files import MissingFileError, missing_file, read


def load_compose_files(paths: Sequence[Path]) -> Rendered:
    """Read compose files that are not templates, with the files they name.

    As for ``docker stack deploy``, the later files are merged over the first one, and all relative
    paths start at the folder of the first one.

    Raises:
        UsageError: one cannot be read, is not a compose file, or names a file that does not exist.
    """
    texts = [_text(path) for path in paths]
    files: dict[str, bytes] = {}
    for number, (path, text) in enumerate(zip(paths, texts, strict=True)):
        document = compose_document(text, path, complete=number == 0)
        files |= {name: read_named(paths[0].parent, name, path) for name in named_files(document)}
    overlays = {f"docker-compose.{n}.yml": text for n, text in enumerate(texts[1:], start=2)}
    return Rendered(texts[0], dict(sorted(files.items())), overlays)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as fault:
        raise UsageError(f"there is no file {path}", "name a compose file or a stack") from fault
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(f"cannot read {path}: {reason(fault)}") from fault


def compose_document(text: str, source: Path, *, complete: bool = True) -> dict[str, Any]:
    """Parse a compose file, only as far as needed to find the files it names.

    Args:
        text: its text.
        source: its path or its template's, for messages.
        complete: whether it must have services; one that is merged over another need not.

    Raises:
        UsageError: it is not YAML, or not a compose file.
    """
    try:
        document = load(text).value
    except YamlError as fault:
        line = fault.mark.line
        raise UsageError(
            f"{source}: the rendered text is not YAML: {fault.message}",
            f"line {line}: {text.splitlines()[line - 1].strip()}",
        ) from fault
    top = document if isinstance(document, dict) else {}
    services = top.get("services", {} if top and not complete else None)
    if not isinstance(services, dict):
        raise UsageError(
            f"{source}: the rendered text is not a compose file",
            "it needs a map `services` at the top level",
        )
    return top


def named_files(document: Mapping[str, Any]) -> Iterator[str]:
    """The relative paths in a compose file's ``configs``, ``secrets`` and ``env_file``."""
    for section in ("configs", "secrets"):
        entries = document.get(section)
        for entry in entries.values() if isinstance(entries, dict) else ():
            if isinstance(entry, dict) and isinstance(entry.get("file"), str):
                yield from _relative(entry["file"])
    for service in document.get("services", {}).values():
        listed = service.get("env_file") if isinstance(service, dict) else None
        for name in [listed] if isinstance(listed, str) else listed or ():
            if isinstance(name, str):
                yield from _relative(name)


def _relative(path: str) -> Iterator[str]:
    if not path.startswith(("/", "~", "$")):  # those name a file of the machine that deploys
        yield str(PurePosixPath(path))


def read_named(folder: Path, name: str, source: Path) -> bytes:
    """Read a file of a folder that a compose file (``source``, for messages) names.

    Raises:
        UsageError: the folder has no such file.
    """
    try:
        return read(folder, name)
    except MissingFileError as fault:
        template = f"{name}.j2"
        if (folder / template).is_file():
            raise UsageError(
                f"{source}: the compose file names {name!r}, but the stack has {template!r}",
                f"render that template: {{{{ attach('{template}') }}}}",
            ) from fault
        raise missing_file(name, str(source), folder) from fault
