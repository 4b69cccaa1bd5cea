"""The JUnit file of one command, written however the command ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.report import junit
from swarmctl.chaos.report.html import write_file
from swarmctl.errors import SwarmctlError


@contextmanager
def recorded(path: Path | None, name: str, warn: Callable[[str], None]) -> Iterator[list[Journal]]:
    """Write a JUnit file about the runs of one command.

    Args:
        path: where to; ``None`` for nowhere.
        name: of the test suite.
        warn: is told if the file cannot be written at the end.

    Yields:
        The list that the runs' journals are to be added to.

    Raises:
        SwarmctlError: it cannot be written, before anything is done.
    """
    journals: list[Journal] = []
    if path is None:
        yield journals
        return
    # This content stays if the command is killed.
    write_file(path, junit.render([], name, "the command did not end"))
    failure = ""
    try:
        yield journals
    except BaseException as error:
        in_journal = bool(journals) and journals[-1].outcome not in ("", "held", "refuted")
        failure = "" if in_journal else str(error) or type(error).__name__
        raise
    finally:
        try:
            write_file(path, junit.render(journals, name, failure))
        except SwarmctlError as error:  # how the run ended matters more
            warn(error.message)
