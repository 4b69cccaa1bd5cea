"""The progress of an experiment, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

import typer
from rich.markup import escape
from rich.status import Status
from rich.text import Text

from swarmctl.cli import console
from swarmctl.errors import UsageError
from swarmctl.reading.texts import clean

# Without a terminal the status is printed at most this often.
_STATUS_EVERY_S = 5.0


class ConsoleProgress:
    """Progress on stderr: steps and notes as lines, the status as a line that moves.

    It never raises: a closed terminal or a broken pipe must not end an experiment half way.
    """

    def __init__(self) -> None:
        """Nothing is shown yet."""
        self._status: Status | None = None
        self._gone = False
        self._last, self._last_at = "", 0.0

    def step(self, title: str) -> None:
        """Print the title of a phase."""
        self._print(f"• {title}", "bold")

    def note(self, text: str) -> None:
        """Print a remark."""
        style = {"✗": "red", "✓": "green", "!": "yellow"}.get(text[:1], "")
        self._print(f"  {text}", style)

    def status(self, text: str) -> None:
        """Show the current state."""
        if not console.err().is_terminal:
            now = time.monotonic()
            if text != self._last and now - self._last_at >= _STATUS_EVERY_S:
                self._last, self._last_at = text, now
                self._print(f"  … {text}", "")
            return
        self._safely(lambda: self._spin(text))

    def ask(self, lines: Sequence[str]) -> None:
        """Show the plan and ask for confirmation.

        Raises:
            InterruptedRunError: the answer is no.
        """
        from swarmctl.chaos.run.interrupts import InterruptedRunError

        self.close()
        for line in lines:
            self._print(f"  {line}", "")
        if not typer.confirm("Go on?", err=True):
            raise InterruptedRunError("called off; nothing was touched")

    def ask_for_command(self, lines: Sequence[str]) -> None:
        """Show a command that an undo plan runs on this machine, and ask for confirmation.

        Raises:
            UsageError: nobody can be asked: stdin is not a terminal.
            InterruptedRunError: the answer is no.
        """
        if not sys.stdin.isatty():
            raise UsageError(f"not confirmed: {'; '.join(lines)}", "pass --yes, or use a terminal")
        self.ask(lines)

    def close(self) -> None:
        """Remove the status line."""
        status, self._status = self._status, None
        if status is not None:
            self._safely(status.stop)

    def _spin(self, text: str) -> None:
        line = escape(clean(text))
        if self._status is None:
            self._status = console.err().status(line)
            self._status.start()
        else:
            self._status.update(line)

    def _print(self, text: str, style: str) -> None:
        self._safely(lambda: console.err().print(Text(clean(text), style=style), soft_wrap=True))

    def _safely(self, write: Callable[[], None]) -> None:
        if self._gone:
            return
        try:
            write()
        except (OSError, SystemExit):  # Rich answers a broken pipe with SystemExit
            self._gone = True
