"""``swarmctl image build``, ``push`` and ``mirror``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from swarmctl.cli import console
from swarmctl.cli.image.options import (
    OnlyOption,
    PlatformOption,
    SizeOption,
    StackArgument,
    home,
    others,
    sources,
)
from swarmctl.cli.options import (
    ClusterOption,
    RegistryOption,
    SetOption,
    ValuesOption,
    read_assignments,
)


def build(
    stack: StackArgument,
    only: OnlyOption = None,
    values: ValuesOption = None,
    assignments: SetOption = None,
    platform: PlatformOption = "",
    max_size: SizeOption = "",
) -> None:
    """Build a stack's images on this machine: images/NAME/Dockerfile of its folder.

    Prints the name of each: STACK/IMAGE and a tag that is a hash of all that it is built from.
    """
    from swarmctl.images.publish import build_images
    from swarmctl.stack.render.source import choose_source

    choice = choose_source(stack, (), values or (), read_assignments(assignments))
    for built in build_images(sources(choice, only, platform, max_size), console.note):
        console.emit(built.local_name)


def push(
    stack: StackArgument,
    only: OnlyOption = None,
    values: ValuesOption = None,
    assignments: SetOption = None,
    platform: PlatformOption = "",
    max_size: SizeOption = "",
    tag: Annotated[
        Literal["content", "commit"],
        typer.Option(
            "--tag",
            help="content: a hash of all that the image is built from; commit: that, and the git "
            "commit as a second tag.",
        ),
    ] = "content",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be pushed; change nothing.")
    ] = False,
    registry: RegistryOption = "",
    cluster: ClusterOption = None,
) -> None:
    """Build a stack's images and push them, except those that the registry has already.

    Prints the name of each with its digest. A deploy with the same files and values finds them.
    """
    from swarmctl.images.publish import commit_of, missing_images, push_images
    from swarmctl.stack.render.source import choose_source

    choice = choose_source(stack, (), values or (), read_assignments(assignments))
    found = sources(choice, only, platform, max_size)
    if not found:
        return
    if dry_run:
        for image in missing_images(found, home(registry, cluster)):
            console.emit(str(image))
        return
    commit = commit_of(found[0].folder.parents[1]) if tag == "commit" else ""
    for done in push_images(found, home(registry, cluster), console.note, commit):
        took = f"pushed after {done.seconds:.1f} s" if done.seconds else "already in the registry"
        console.note(f"{done.name}: {took}")
        console.emit(str(done.image))


def mirror(
    stack: StackArgument,
    values: ValuesOption = None,
    assignments: SetOption = None,
    platform: PlatformOption = "",
    registry: RegistryOption = "",
    cluster: ClusterOption = None,
) -> None:
    """Copy the other images of a stack into the registry, so that the nodes need no other one.

    Prints the name of each copy. A template names the copy of an image with mirrored(…).
    """
    from swarmctl.images.mirror import mirror_images
    from swarmctl.stack.render.source import choose_source

    choice = choose_source(stack, (), values or (), read_assignments(assignments))
    there = home(registry, cluster)
    for image in mirror_images(others(choice, there), there, console.note, platform):
        console.emit(str(image))
