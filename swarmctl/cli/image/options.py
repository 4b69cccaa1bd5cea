"""What the commands of ``swarmctl image`` share: the stack's images, and the registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import completion, console
from swarmctl.errors import UsageError

if TYPE_CHECKING:
    from swarmctl.images.home import Home
    from swarmctl.images.source import ImageSource
    from swarmctl.registry.reference import Reference
    from swarmctl.stack.render.source import StackChoice

StackArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME|PATH",
        help="A stack's name or folder.",
        autocompletion=completion.stack_sources,
    ),
]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option("--image", metavar="NAME", help="Only this image of the stack; repeatable."),
]
PlatformOption = Annotated[
    str,
    typer.Option("--platform", metavar="OS/ARCH", help="Such as linux/arm64.  [default: this one]"),
]
SizeOption = Annotated[
    str,
    typer.Option("--max-size", metavar="SIZE", help="Refuse a larger image, for example 300M."),
]


def sources(
    choice: StackChoice, only: Sequence[str] | None = None, platform: str = "", max_size: str = ""
) -> list[ImageSource]:
    """The images of a stack; a note on stderr if it has none.

    Raises:
        UsageError: there is no such image, or a value is wrong.
    """
    from swarmctl.images.source import image_sources
    from swarmctl.reading import quantities
    from swarmctl.reading.names import unknown
    from swarmctl.stack.render.values import layered

    if choice.folder is None:
        raise UsageError("a compose file has no images to build", "name a stack or its folder")
    values = layered(choice.folder, choice.given.files, choice.given.values)
    found = image_sources(choice.folder, values)
    for name in only or ():
        if name not in found:
            raise unknown("image", name, found)
    try:
        limit = quantities.size(max_size) if max_size else 0
    except ValueError as fault:
        raise UsageError(f"--max-size: {fault}", "write it like 300M") from fault
    if not found:
        console.note(f"{choice.folder} has no images: none in images/NAME/Dockerfile")
    return [
        replace(s, platform=platform or s.platform, max_size=limit or s.max_size)
        for name, s in found.items()
        if not only or name in only
    ]


def home(registry: str, cluster: str | None) -> Home:
    """The cluster's place in the registry.

    Raises:
        UsageError: no registry is named, or several clusters exist and none is named.
    """
    from swarmctl.cluster import name_only
    from swarmctl.images.home import find_home

    return find_home(registry, name_only(cluster) if registry else "")


def others(choice: StackChoice, there: Home) -> list[Reference]:
    """The images that a stack names and does not build, and that are not in the registry."""
    from pathlib import Path

    from swarmctl.images.mirror import foreign_images, no_copies
    from swarmctl.stack.render.compose_files import compose_document

    text = choice.load(images=no_copies(there)).rendered.compose
    return foreign_images(compose_document(text, choice.folder or Path(choice.name)), there)
