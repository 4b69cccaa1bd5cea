"""Output of every command: results on stdout, everything else on stderr.

Without a terminal, Rich writes plain text without colours, so output can be piped. Rich is imported
only when it is used: ``swarmctl --help`` must be quick.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console

# Width of tables without a terminal: wide enough that no column is cut in a pipe.
PIPE_WIDTH = 200

# JSON may have them as they are, and a terminal obeys them as it does escape sequences; and what
# cannot be written at all. (ECMA-48, C1; the controls before the space are always escaped.)
_OBEYED = re.compile(r"[\x7f-\x9f\ud800-\udfff]")

MAX_ERROR = 5000  # characters; no message of ours is as long, an answer that it quotes may be


@functools.cache
def out() -> Console:
    """The console for results (stdout)."""
    return _console(stderr=False)


@functools.cache
def err() -> Console:
    """The console for progress, notes and errors (stderr)."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=False)


class _Shared:
    """Standard error, and the file from which a playbook's output reads the progress."""

    def __init__(self, stderr: TextIO, path: Path) -> None:
        self._stderr, self._path = stderr, path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stderr, name)

    def write(self, text: str) -> int:
        with suppress(OSError), self._path.open("a") as file:
            file.write(text)
        return self._stderr.write(text)


def share_progress() -> None:
    """Write what goes to stderr to ``$SWARMCTL_PROGRESS`` too: Ansible shows it only at the end."""
    if path := os.environ.get("SWARMCTL_PROGRESS"):
        sys.stderr = cast(TextIO, _Shared(sys.stderr, Path(path)))


def note(text: str) -> None:
    """Print a line on stderr (no markup), without what a terminal would obey: see :func:`error`."""
    from swarmctl.reading.texts import clean

    text = clean(text)
    if "rich.console" in sys.modules:  # a live display may have to be redrawn below the line
        err().print(text, markup=False, soft_wrap=True)
    else:  # importing Rich takes longer than rendering a stack
        sys.stderr.write(text + "\n")


def emit(text: str) -> None:
    """Print a result on stdout as it is: no wrapping, no markup, no colours."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def emit_json(data: Any, indent: int | None = 2) -> None:
    """Print a result on stdout as JSON; keys keep their order.

    Args:
        data: the result.
        indent: spaces; ``None``: all on one line.
    """
    text = json.dumps(data, indent=indent, sort_keys=False, ensure_ascii=False)
    emit(_OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def error(message: str, hint: str = "") -> None:
    """Print an error: what happened, then what to do.

    Both may quote others (a node, the Engine, EC2), so what a terminal would obey is left out.
    """
    from swarmctl.reading.texts import clean, shortened

    _line("error", "bold red", shortened(clean(message), MAX_ERROR))
    if hint:
        _line("hint", "cyan", shortened(clean(hint), MAX_ERROR))


def _line(label: str, style: str, text: str) -> None:
    from rich.text import Text

    err().print(Text.assemble((f"{label}: ", style), text), soft_wrap=True)
