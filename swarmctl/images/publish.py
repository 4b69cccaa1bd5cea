"""Build a stack's images, and push those that the registry does not have."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import docker

from swarmctl.errors import UsageError
from swarmctl.images.build import Built, build
from swarmctl.images.engine import local_engine
from swarmctl.images.home import Home
from swarmctl.images.push import push
from swarmctl.images.source import ImageSource, build_context
from swarmctl.reading.quantities import written_size
from swarmctl.registry.reference import Reference

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Published:
    """An image in the registry.

    Attributes:
        image: in the registry, with tag and digest.
        name: of the image in its stack.
        seconds: that building and pushing took; 0 if it was there already.
    """

    image: Reference
    name: str
    seconds: float = 0.0


def build_images(sources: Iterable[ImageSource], note: Note) -> list[Built]:
    """Build images, one after the other; what the Engine's cache has is not built again.

    Raises:
        SwarmctlError: a build failed; the images before it exist.
    """
    client = local_engine()
    return [_build(source, note, client) for source in sources]


def _build(source: ImageSource, note: Note, client: docker.DockerClient) -> Built:
    note(f"{source.name}: building {source.dockerfile}")
    started = time.monotonic()
    built = build(source, build_context(source), note, client)
    took = time.monotonic() - started
    note(f"{source.name}: {built.local_name}, {written_size(built.size)}, built in {took:.1f} s")
    return built


def push_images(
    sources: Iterable[ImageSource], home: Home, note: Note, commit: str = ""
) -> list[Published]:
    """Build and push the images that the registry does not have; the others cost one request.

    Each image is complete before its tag exists, and the tag of the commit comes last: a run that
    failed can be repeated.

    Args:
        sources: the images.
        home: where they go.
        note: called with the progress.
        commit: a further tag, see :func:`commit_of`.

    Raises:
        SwarmctlError: a build or push failed, or the registry does not answer.
    """
    return [_publish(source, home, note, commit) for source in sources]


def missing_images(sources: Iterable[ImageSource], home: Home) -> list[Reference]:
    """What :func:`push_images` would build and push. Changes nothing."""
    wanted = [home.image(s.stack, s.name, build_context(s).tag) for s in sources]
    return [image for image in wanted if home.api().digest(image) is None]


def _publish(source: ImageSource, home: Home, note: Note, commit: str) -> Published:
    wanted = home.image(source.stack, source.name, build_context(source).tag)
    started = time.monotonic()
    digest = home.api().digest(wanted)
    seconds = 0.0
    if digest is None:
        client = local_engine()
        built = _build(source, note, client)
        note(f"{source.name}: pushing {wanted}")
        digest = push(client, built.local_name, wanted, home)
        seconds = time.monotonic() - started
    image = home.image(source.stack, source.name, wanted.tag, digest)
    if commit:
        _tag_commit(home, image, commit)
    return Published(image, source.name, seconds)


def _tag_commit(home: Home, image: Reference, commit: str) -> None:
    api = home.api()
    there = api.digest(Reference(image.name, image.host, image.repository, commit))
    if there and there != image.digest:
        raise UsageError(
            f"{image.name}:{commit} exists and is another image: {there}",
            "commit the change that made this one",
        )
    if there is None:
        api.tag(image, commit)


def commit_of(stack: Path) -> str:
    """The commit of a stack's folder, as a tag: 12 digits.

    Raises:
        UsageError: it is not in a git repository, or has changes that are not committed.
    """
    head = _git(stack, "rev-parse", "--short=12", "HEAD")
    if changed := _git(stack, "status", "--porcelain", "--", "."):
        raise UsageError(
            f"{stack} has changes that are not committed, so no commit describes its images:\n"
            f"{changed}",
            "commit them; or push without --tag commit",
        )
    return head


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError as fault:
        raise UsageError("--tag commit needs git, which is not installed here") from fault
    if done.returncode:
        raise UsageError(
            f"--tag commit: {folder} is not in a git repository: {done.stderr.strip()}",
            "push without --tag commit",
        )
    return done.stdout.strip()
