"""``swarmctl stack list``."""

from __future__ import annotations

from swarmctl.cli import console


def list_stacks() -> None:
    """List the stacks that can be rendered."""
    from swarmctl.stack.render import source

    names = source.stack_names()
    if not names:
        console.note(f"no stacks in {source.stacks_dir()}")
    for name in names:
        console.emit(name)
