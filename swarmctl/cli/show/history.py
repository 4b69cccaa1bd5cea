"""Finished runs as tables: one run a row, and statistics over several runs of one fault."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.report import history
from swarmctl.chaos.report.run_summary import RunSummary, summarize
from swarmctl.cli.show.table import Column, print_table

_STYLES = {"held": "green", "refuted": "red", "revert-failed": "red", "error": "red"}
_STATISTICS = (
    Column("fault"),
    Column("runs", right=True),
    Column("held", right=True),
    Column("down", right=True),
    Column("healthy", right=True),
    Column("probes lost", right=True),
    Column("longest outage", right=True),
    Column("as predicted", right=True),
)


def show_campaign(journals: Sequence[Journal], planned: int) -> None:
    """The runs of one command."""
    runs = [summarize(journal) for journal in journals]
    show_history(runs, f"{len(journals)} of {planned} runs")


def show_history(runs: Sequence[RunSummary], title: str = "") -> None:
    """Each run in a row, then the statistics of each fault with several runs."""
    columns = [
        Column(name, right=index >= history.WORD_COLUMNS, wraps=name == "targets")
        for index, name in enumerate(history.COLUMNS)
    ]
    outcome = history.COLUMNS.index("outcome")
    rows = []
    for run in runs:
        row: list[str | Text] = [*history.cells(run)]
        row[outcome] = Text(str(row[outcome]), style=_STYLES.get(run.outcome, "yellow"))
        rows.append(row)
    print_table(title or f"{len(runs)} run{'s' if len(runs) > 1 else ''}", columns, rows)
    statistics = history.statistics(runs)
    if statistics:
        print_table(
            "Medians and ranges", _STATISTICS, [history.statistics_cells(s) for s in statistics]
        )
