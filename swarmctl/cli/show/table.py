"""Tables that never cut a name: where columns do not fit, each row becomes a few lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from swarmctl.cli import console

# Between two columns, in characters.
_GAP = 3
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
    """Print a table on stdout; see :func:`table`."""
    out = console.out()
    out.print(table(title, columns, rows, out.width))


def table(
    title: str, columns: Sequence[Column], rows: Iterable[Sequence[str | Text]], width: int
) -> RenderableType:
    """A table.

    Where it is too narrow, each row is its first cell on a line of its own, with the other cells
    and their headings below.

    Args:
        title: above it; ``""`` for none.
        columns: its columns.
        rows: a cell for each column.
        width: characters on a line.
    """
    cells = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    widths = [
        max([len(column.title), *(row[index].cell_len for row in cells)])
        for index, column in enumerate(columns)
    ]
    words = [
        max([0, *(len(word) for row in cells for word in row[index].plain.split())])
        for index in range(len(columns))
    ]
    needed = sum(
        max(min(full, _SENTENCE_WIDTH), word) if column.wraps else full
        for column, full, word in zip(columns, widths, words, strict=True)
    )
    edges = 2 if title else 0
    if needed + _GAP * (len(columns) - 1) + edges <= width:
        return _in_columns(title, columns, cells)
    return _folded(title, columns, cells)


def _in_columns(
    title: str, columns: Sequence[Column], rows: Sequence[Sequence[Text]]
) -> RenderableType:
    found = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=bool(title),
    )
    for column in columns:
        found.add_column(
            Text(column.title, style=column.style),
            justify="right" if column.right else "left",
            no_wrap=not column.wraps,
        )
    for row in rows:
        found.add_row(*row)
    return found


def _folded(
    title: str, columns: Sequence[Column], rows: Sequence[Sequence[Text]]
) -> RenderableType:
    lines: list[RenderableType] = [Text(title, style="bold")] if title else []
    for row in rows:
        lines.append(Text.assemble(row[0], overflow="fold"))
        parts = [
            Text.assemble((f"{column.title} ", column.style or "dim"), cell)
            for column, cell in zip(columns[1:], row[1:], strict=True)
            if cell.plain
        ]
        lines.append(Padding(Text(" · ").join(parts), (0, 0, 0, 2)))
    return Group(*lines, *([Text()] if title else []))
