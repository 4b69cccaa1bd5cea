"""The faults as a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from swarmctl.cli.show.table import Column, print_table

if TYPE_CHECKING:
    from swarmctl.chaos.fault.kind import Kind


def show_faults(kinds: Iterable[Kind]) -> None:
    """What each fault does, how it is reverted, and its options."""
    from swarmctl.chaos.fault.kind import OPTION_KEYS

    columns = (
        Column("fault"),
        Column("effect", wraps=True),
        Column("revert", wraps=True),
        Column("options", wraps=True),
    )
    rows = (
        (
            kind.name,
            kind.summary,
            kind.undo,
            " ".join(f"--{OPTION_KEYS[name]}" for name in kind.takes),
        )
        for kind in kinds
    )
    print_table("Faults", columns, rows)
