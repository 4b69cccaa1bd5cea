"""``swarmctl image repository``: the cluster's repositories in ECR."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.consent import require_consent
from swarmctl.cli.image.options import others
from swarmctl.cli.options import YesOption

app = typer.Typer(no_args_is_help=True, help="Make or remove the cluster's repositories in ECR.")

Cluster = Annotated[
    str, typer.Option("--cluster", metavar="NAME", help="Value of the tag swarmctl:cluster.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the changes; write nothing.")]


@app.command()
def create(
    stacks: Annotated[list[str], typer.Argument(metavar="STACK…", help="Names or folders.")],
    cluster: Cluster,
    pull: Annotated[
        list[str] | None,
        typer.Option("--pull", metavar="ARN", help="Who else may pull; repeatable."),
    ] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Also for copies of the stacks' other images.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Make a repository for each image of the stacks, unless the cluster has it already.

    Tags are immutable, images are scanned when they are pushed, and those without a tag are
    removed after 14 days.
    """
    from swarmctl.cloud.ecr import Ecr
    from swarmctl.cloud.ecr_repositories import ensure_repositories
    from swarmctl.images.home import find_home
    from swarmctl.images.source import image_names
    from swarmctl.reading.names import cluster_name
    from swarmctl.stack.render.source import choose_source

    name, choices = cluster_name(cluster), [choose_source(stack) for stack in stacks]
    if not mirror and not any(image_names(c.folder) for c in choices if c.folder):
        return  # nobody without images needs rights in ECR
    there = find_home("ecr", name)
    names, copies = set(), set()
    for choice in choices:
        folder = choice.folder
        if folder is not None:
            names |= {there.repository(folder.name, image) for image in image_names(folder)}
        if mirror:
            copies |= {there.copy_of(image).repository for image in others(choice, there)}
    lines = ensure_repositories(
        there.ecr or Ecr(),
        cluster,
        names | copies,
        mutable=copies,
        pull=pull or (),
        dry_run=dry_run,
    )
    _show(lines, dry_run=dry_run)


@app.command()
def remove(
    cluster: Cluster,
    yes: YesOption = False,
    dry_run: DryRun = False,
) -> None:
    """Remove the cluster's repositories with all images in them, those that services use, too."""
    from swarmctl.cloud.ecr import Ecr
    from swarmctl.cloud.ecr_repositories import remove_repositories
    from swarmctl.reading.names import cluster_name

    ecr, name = Ecr(), cluster_name(cluster)
    lines = remove_repositories(ecr, name, dry_run=True)
    if lines and not dry_run:
        if not yes:
            repositories = [line.rpartition(" ")[2] for line in lines]
            command = f"swarmctl image repository remove --cluster {name} --yes"
            require_consent(repositories, "all images", command)
        lines = remove_repositories(ecr, name)
    _show(lines, dry_run=dry_run)


def _show(lines: list[str], *, dry_run: bool) -> None:
    for line in lines:
        console.emit(line)
    done = "would be made" if dry_run else "made"
    changes = "1 change" if len(lines) == 1 else f"{len(lines)} changes"
    console.note(f"{changes} {done}" if lines else "nothing to change")
