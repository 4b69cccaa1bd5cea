"""Where the lines go. On a terminal, a line at the bottom shows what runs at present.

A thread renews that line and reads the progress of `swarmctl` commands, which no event of Ansible
announces. Ansible forks: so the thread draws by ``os.write``, which holds no lock of Python's.
"""

from __future__ import annotations

import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from swarmctl.reading.texts import clean

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_CLEAR = "\r\x1b[K"
_TICK_S = 0.2
# Without a terminal, a line is printed after so much silence.
_SILENCE_S = 30.0
_WIDTH = 80  # without a terminal

Write = Callable[[str, str | None], None]


@dataclass(slots=True)
class Screen:
    """Prints lines.

    Attributes:
        write: prints one line in a colour of Ansible's.
        progress: the file `swarmctl` commands append their progress to.
        live: whether there is a terminal whose last line can be replaced.
        progress_shown: lines of progress that were printed.
        before_first: called before progress is printed.
    """

    write: Write
    progress: Path
    live: bool
    progress_shown: set[str] = field(default_factory=set)
    before_first: Callable[[], None] = lambda: None
    _title: str = ""
    _detail: str = ""
    _services: dict[str, str] = field(default_factory=dict)
    _since: float = 0.0
    _last: float = 0.0
    _read: int = 0
    _drawn: bool = False
    _frame: int = 0
    _pid: int = field(default_factory=os.getpid)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _ended: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin to renew the last line."""
        self._last = time.monotonic()
        threading.Thread(target=self._run, daemon=True, name="screen").start()

    @property
    def width(self) -> int:
        """Columns."""
        with suppress(OSError):
            if self.live:
                return os.get_terminal_size(sys.stdout.fileno()).columns or _WIDTH
        return _WIDTH

    def line(self, text: str, colour: str | None = None, indent: int = 0) -> None:
        """Print a line; on a terminal it is folded between words."""
        with self._lock:
            self.clear()
            self._last = time.monotonic()
            for part in text.splitlines() or [""]:
                self.write(self._folded(part, indent), colour)

    def _folded(self, text: str, indent: int) -> str:
        margin = " " * indent
        if not self.live or indent == 0:
            return margin + text
        own = margin + " " * (len(text) - len(text.lstrip()))
        return textwrap.fill(
            text.strip(),
            max(self.width, 40),
            initial_indent=own,
            subsequent_indent=own + "  ",
            break_long_words=False,
            break_on_hyphens=False,
        )

    def busy(self, title: str, detail: str) -> None:
        """Show what runs at present; ``title`` is empty while someone else uses the terminal."""
        with self._lock:
            self.clear()
            self._title, self._detail, self._since = title, detail, time.monotonic()
            self._services.clear()

    def waiting(self, detail: str) -> None:
        """Replace what is shown of the present task, which goes on."""
        with self._lock:
            self._detail = detail

    def clear(self) -> None:
        """Remove the last line before something else is printed."""
        if os.getpid() != self._pid:  # a fork, in which the lock may be held for ever
            return
        with self._lock:
            if self._drawn:
                self._drawn = False
                self._put(_CLEAR)

    def drain(self) -> None:
        """Show the progress that has not been shown."""
        with self._lock, suppress(OSError), self.progress.open("rb") as file:
            file.seek(self._read)
            new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._read += len(whole)
            for text in clean(whole.decode(errors="replace")).splitlines():
                self._show_progress(text)

    def close(self) -> None:
        """End the thread and clean the terminal."""
        if os.getpid() == self._pid:
            self._ended.set()
            with self._lock:
                self.clear()
                self._title = ""

    def _run(self) -> None:
        while not self._ended.wait(_TICK_S):
            with self._lock:
                if self._ended.is_set():
                    return
                self.drain()
                if self._title:
                    self._tick()

    def _tick(self) -> None:
        now = time.monotonic()
        seconds = now - self._since
        if self.live:
            self._frame += 1
            what = ", ".join(self._services.values()) or self._detail
            text = f"{_FRAMES[self._frame % len(_FRAMES)]} {self._title} · {what}"
            time_text = f" {seconds:.0f} s"
            room = self.width - len(time_text) - 1
            # The cursor stays at the left, so that what others print replaces the line.
            self._put(f"{_CLEAR}{text[:room]}{time_text}\r")
            self._drawn = True
        elif now - self._last >= _SILENCE_S:
            self.line(f"… {self._detail} ({seconds:.0f} s)", None, indent=4)

    def _put(self, text: str) -> None:
        with suppress(OSError):
            os.write(sys.stdout.fileno(), text.encode())

    def _show_progress(self, text: str) -> None:
        # Indented: how far something is, soon replaced by the next.
        if self.live and text.startswith("  ") and text.strip():
            self._services[text.split()[0]] = text.strip()
            return
        self.before_first()
        self.progress_shown.add(text.strip())
        self.line(text, None, indent=4)
