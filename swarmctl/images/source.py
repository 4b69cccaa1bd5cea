"""The images that a stack's folder describes: ``images/<name>/Dockerfile``.

An image's tag is a hash of all that it is built from, so the same files always have the same tag:
nothing is built twice, and an older version of the folder finds its image again.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.reading import quantities
from swarmctl.reading.names import unknown
from swarmctl.reading.texts import one_line

FOLDER, DOCKERFILE, IGNORE = "images", "Dockerfile", ".dockerignore"
# Called with a folder to which it adds files, for an image that is not made of its folder alone.
PREPARE = "prepare"
_PREPARE_S = 300.0
_KEYS = ("args", "max_size", "platform", "tag")


@dataclass(frozen=True, slots=True)
class ImageSource:
    """An image that can be built.

    Attributes:
        stack: the stack's name: that of its folder.
        name: of the image: that of its folder.
        folder: with the Dockerfile.
        args: build arguments.
        platform: such as ``linux/arm64``; ``""`` for the Engine's own.
        max_size: bytes that it may have; 0 for any.
        tag: of the image to deploy instead of the one that these files make; ``""`` for that one.
    """

    stack: str
    name: str
    folder: Path
    args: Mapping[str, str] = field(default_factory=dict)
    platform: str = ""
    max_size: int = 0
    tag: str = ""

    @property
    def dockerfile(self) -> Path:
        """Its Dockerfile."""
        return self.folder / DOCKERFILE


def image_names(stack: Path) -> list[str]:
    """The names of a stack's images."""
    return sorted(file.parent.name for file in (stack / FOLDER).glob(f"*/{DOCKERFILE}"))


def image_sources(stack: Path, values: Mapping[str, Any]) -> dict[str, ImageSource]:
    """A stack's images by name.

    Args:
        stack: the stack's folder.
        values: the stack's; ``images.NAME`` may have args, max_size, platform and tag.

    Raises:
        UsageError: the values under ``images`` are not of this kind.
    """
    names = image_names(stack)
    given = values.get("images") or {}
    if not isinstance(given, Mapping):
        raise UsageError(f"{stack}: the value images is {given!r}, not a map of images")
    for name in given:
        if name not in names:
            raise unknown("image", str(name), names)
    return {name: _source(stack, name, given.get(name) or {}) for name in names}


def _source(stack: Path, name: str, given: Any) -> ImageSource:
    where = f"{stack}: the value images.{name}"
    if not isinstance(given, Mapping):
        raise UsageError(f"{where} is {given!r}, not a map", f"its keys may be {', '.join(_KEYS)}")
    for key in given:
        if key not in _KEYS:
            raise unknown(f"key of images.{name}", str(key), _KEYS)
    args = given.get("args") or {}
    if not isinstance(args, Mapping):
        raise UsageError(f"{where}.args is {args!r}, not a map of build arguments")
    return ImageSource(
        stack.resolve().name,
        name,
        stack / FOLDER / name,
        {str(key): str(value) for key, value in args.items()},
        str(given.get("platform") or ""),
        _size(given.get("max_size") or 0, f"{where}.max_size"),
        str(given.get("tag") or ""),
    )


def _size(value: Any, where: str) -> int:
    try:
        return quantities.size(str(value))
    except ValueError as fault:
        raise UsageError(f"{where}: {fault}", "write it like 300M") from fault


def local_name(source: ImageSource, tag: str) -> str:
    """The name of an image on this machine, before it is pushed."""
    return f"{source.stack.lower()}/{source.name.lower()}:{tag}"


@dataclass(frozen=True, slots=True)
class Context:
    """What an image is built from.

    Attributes:
        archive: the build context, a tar file; the same files make the same bytes.
        tag: 12 digits of a hash of it, the build arguments and the platform.
    """

    archive: bytes = field(repr=False)
    tag: str


def build_context(image: ImageSource) -> Context:
    """Read all that an image is built from.

    Raises:
        SwarmctlError: a file cannot be read, or the image's script ``prepare`` failed.
    """
    with tempfile.TemporaryDirectory(prefix="swarmctl-context-") as made:
        prepared = Path(made)
        _prepare(image, prepared)
        try:
            archive = _archive(image.folder, prepared)
        except OSError as fault:
            raise SwarmctlError(f"cannot read {fault.filename}: {fault.strerror}") from fault
    digest = hashlib.sha256(archive)
    # What is not set adds nothing: a setting of a later version changes no tag.
    given = {"args": dict(sorted(image.args.items())), "platform": image.platform}
    digest.update(json.dumps({key: value for key, value in given.items() if value}).encode())
    return Context(archive, digest.hexdigest()[:12])


def _prepare(image: ImageSource, into: Path) -> None:
    script = image.folder / PREPARE
    if not script.is_file():
        return
    try:
        done = subprocess.run(
            [script.resolve(), into],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PREPARE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as fault:
        raise SwarmctlError(f"{script} was still running after {_PREPARE_S:g} s") from fault
    except OSError as fault:
        raise SwarmctlError(
            f"{script} cannot be run: {fault.strerror}", f"chmod +x {script}"
        ) from fault
    if done.returncode:
        said = one_line(done.stderr.decode(errors="replace"), 1000)
        raise SwarmctlError(f"{script} failed with exit code {done.returncode}: {said}")


def _archive(folder: Path, prepared: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for root in (folder, prepared):
            for path in _files(root):
                _add(archive, root / path, path)
    return buffer.getvalue()


def _files(root: Path) -> Iterator[str]:
    from docker.utils.build import exclude_paths  # takes long to import

    ignore = root / IGNORE
    patterns = ignore.read_text("utf-8", "surrogateescape").splitlines() if ignore.is_file() else []
    ignored = [line.strip() for line in patterns if line.strip() and not line.startswith("#")]
    for path in sorted(exclude_paths(str(root), [*ignored, PREPARE], DOCKERFILE)):
        full = root / path
        if path != IGNORE and (full.is_symlink() or not full.is_dir()):
            yield path


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    """Add a file with nothing of this machine's: owner, times, umask."""
    entry = tarfile.TarInfo(name)
    if path.is_symlink():
        entry.type, entry.linkname = tarfile.SYMTYPE, str(path.readlink())
        archive.addfile(entry)
        return
    content = path.read_bytes()
    entry.size = len(content)
    entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
    archive.addfile(entry, io.BytesIO(content))
