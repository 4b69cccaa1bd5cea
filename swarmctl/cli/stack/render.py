"""``swarmctl stack render`` and ``swarmctl stack list``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, SetOption, ValuesOption, read_assignments
from swarmctl.errors import Exit, UsageError

if TYPE_CHECKING:
    from swarmctl.images.names import Names


def render(
    stack: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A stack's name or folder.")],
    values: ValuesOption = None,
    assignments: SetOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|DIR",
            help="Write the compose file (*.yml, or into a folder) and the files it names.",
        ),
    ] = None,
    registry: Annotated[
        str,
        typer.Option(
            "--registry",
            metavar="ecr|HOST[/PATH]",
            help="Name the stack's own images as this registry has them, by digest.  "
            "[default: their names on this machine]",
        ),
    ] = "",
    cluster: ClusterOption = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit 1 if --output is out of date."),
    ] = False,
) -> int:
    """Render a stack's template: print the compose file, or write it and the files it names."""
    from swarmctl.stack.render import output as outputs
    from swarmctl.stack.render.source import choose_source

    if check and output is None:
        raise UsageError("--check needs --output", "name the rendered file to compare with")
    choice = choose_source(
        stack, values_files=values or (), assignments=read_assignments(assignments)
    )
    source = choice.load(images=_names(registry, cluster))
    for line in source.notes:
        console.note(line)
    rendered = source.rendered
    if output is None:
        console.emit(rendered.compose)
        if rendered.files:
            console.note(f"note: it names {', '.join(rendered.files)}; --output writes them too")
        return int(Exit.OK)
    if not check:
        for path in outputs.write(rendered, output):
            console.note(f"wrote {path}")
        return int(Exit.OK)
    stale = outputs.outdated(rendered, output)
    for path in stale:
        console.note(f"out of date: {path}")
    if stale:
        console.note("the same command without --check updates them")
    return int(Exit.FAILED if stale else Exit.OK)


def _names(registry: str, cluster: str | None) -> Names:
    from swarmctl.images.names import local_names, registry_names

    if not registry:
        return local_names
    from swarmctl.cluster import name_only
    from swarmctl.images.home import find_home

    return registry_names(lambda: find_home(registry, name_only(cluster)))


def list_stacks() -> None:
    """List the stacks that can be rendered."""
    from swarmctl.stack.render import folders

    names = folders.stack_names()
    if not names:
        console.note(f"no stacks in {folders.stacks_dir()}")
    for name in names:
        console.emit(name)
