"""Tables that never cut a name: where columns do not fit, each row becomes a few lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from swarmctl.cli import console

_GAP = 2
# A column of sentences is readable from this width on.
_SENTENCE_WIDTH = 20


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Args:
        title: its heading.
        right: aligned to the right.
        wraps: it holds sentences, which may be wrapped.
        style: of its heading.
    """

    title: str
    right: bool = False
    wraps: bool = False
    style: str = ""


def print_table(
    title: str, columns: Sequence[Column], rows: Iterable[Sequence[str | Text]]
) -> None:
    """Print a table on stdout.

    In a terminal too narrow for it, each row is its first cell on a line of its own, with the other
    cells and their headings below.
    """
    cells = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    widths = [
        max([len(column.title), *(row[index].cell_len for row in cells)])
        for index, column in enumerate(columns)
    ]
    needed = sum(
        min(width, _SENTENCE_WIDTH) if column.wraps else width
        for column, width in zip(columns, widths, strict=True)
    )
    if needed + _GAP * (len(columns) - 1) <= console.out().width:
        _print_columns(title, columns, cells)
    else:
        _print_folded(title, columns, cells)


def _print_columns(title: str, columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> None:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for column in columns:
        table.add_column(
            Text(column.title, style=column.style),
            justify="right" if column.right else "left",
            no_wrap=not column.wraps,
        )
    for row in rows:
        table.add_row(*row)
    console.out().print(table)


def _print_folded(title: str, columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> None:
    out = console.out()
    out.print(Text(title, style="bold"))
    for row in rows:
        out.print(row[0], soft_wrap=True)
        parts = [
            Text.assemble((f"{column.title} ", column.style or "dim"), cell)
            for column, cell in zip(columns[1:], row[1:], strict=True)
            if cell.plain
        ]
        out.print(Padding(Text(" · ").join(parts), (0, 0, 0, 2)))
    out.print()
