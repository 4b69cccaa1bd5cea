"""Turns the events of a run into lines: what differs in a step, then one line for the step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from swarmctl.playbook_output import wording
from swarmctl.playbook_output.outcome import FATAL, End, Kind, Outcome, Task
from swarmctl.playbook_output.screen import Screen

# Colours by Ansible's names, so that its settings hold.
_COLOURS: dict[Kind, str] = {
    "ok": "green",
    "changed": "yellow",
    "failed": "red",
    "unreachable": "bright red",
    "ignored": "bright purple",
    "rescued": "bright purple",
}
_MARKS = {"ok": "✓", "changed": "●", "failed": "✗"}
# A step that was shown before, and in which nothing happens now, is shown again if it took so long.
_NOTABLE_S = 1.0
_RETRY_EVERY_S = 15.0


@dataclass(slots=True)
class _Step:
    key: object
    title: str
    began: float
    hosts: set[str] = field(default_factory=set)
    changed: bool = False
    failed: list[str] = field(default_factory=list)
    opened: bool = False
    notable: bool = False

    def ended(self) -> tuple[Kind, str]:
        """The worst that happened, and the sentence about it."""
        if self.failed:
            hosts = wording.named(list(dict.fromkeys(self.failed)), len(self.hosts))
            return "failed", f"{self.title}: failed on {hosts}"
        return ("changed", f"{self.title}: changed") if self.changed else ("ok", self.title)


class Narrator:
    """Tells a run.

    Args:
        screen: prints.
        check: whether the run is in check mode.
    """

    def __init__(self, screen: Screen, *, check: bool) -> None:
        self._screen, self._check = screen, check
        self._began = time.monotonic()
        self._step: _Step | None = None
        self._task = Task("")
        self._outcomes: list[Outcome] = []
        self._retry_shown = 0.0
        self._seen: set[str] = set()
        self._changed: list[str] = []
        self._failed: list[str] = []
        screen.before_first = self._open

    def step(self, key: object, title: str) -> None:
        """Begin a step unless it has begun.

        Args:
            key: what tells it from the step before.
            title: in plain words.
        """
        if self._step is None or self._step.key != key:
            self.end_step()
            self._step = _Step(key, title, time.monotonic())
            self._screen.progress_shown.clear()

    def notable(self) -> None:
        """The present step does more than check: it gets a line even if nothing differs."""
        if self._step:
            self._step.notable = True

    def task(self, task: Task, *, asks: bool = False) -> None:
        """A task begins; ``asks`` if it may use the terminal itself."""
        self._end_task()
        self._task, self._retry_shown = task, time.monotonic()
        title = self._step.title if self._step else ""
        self._screen.busy("" if asks else title, task.name)

    def outcome(self, outcome: Outcome) -> None:
        """A task ended on a host."""
        self._outcomes.append(outcome)

    def retry(self, host: str, attempt: int, of: int) -> None:
        """A task has to be tried again."""
        text = f"{self._task.name}: {host}, try {attempt} of {of}"
        self._screen.waiting(text)
        now = time.monotonic()
        if not self._screen.live and now - self._retry_shown >= _RETRY_EVERY_S:
            self._retry_shown = now
            self._detail(f"… {text}", None)

    def say(self, lines: Sequence[str], colour: str | None = None) -> None:
        """Show what a task means for people, unless its progress has shown it."""
        self._screen.drain()
        for line in lines:
            self._detail(line, colour)

    def no_hosts(self, title: str) -> None:
        """A play has no host."""
        self.end_step()
        self._screen.line(f"- {title}: no host", "cyan")

    def end_step(self) -> None:
        """Print the line of the present step, if anything ran in it."""
        self._end_task()
        step, self._step = self._step, None
        self._screen.busy("", "")
        if step is None or not step.hosts:
            return
        kind, text = step.ended()
        seconds = time.monotonic() - step.began
        repeated = step.title in self._seen and seconds < _NOTABLE_S
        if kind == "ok" and not step.opened and (repeated or not step.notable):
            return
        self._seen.add(step.title)
        if kind == "changed" and self._check:
            text = f"{step.title}: would change"
        self._failed += [text] if kind == "failed" else []
        self._changed += [step.title] if kind == "changed" else []
        margin = min(self._screen.width, 80)
        line = wording.step_line(_MARKS[kind], text, seconds, margin)
        self._screen.line(line, _COLOURS[kind])

    def end(self, end: End) -> None:
        """Print how the run ended."""
        self.end_step()
        self._screen.close()
        self._screen.line("")
        for line in wording.recap_lines(end.totals):
            self._screen.line(line)
        for remark in end.remarks:
            self._screen.line(remark)
        failed = self._failed or [t.host for t in end.totals if t.failures or t.unreachable]
        colour = _COLOURS["failed" if failed else "changed" if self._changed else "ok"]
        changed = list(dict.fromkeys(self._changed))
        self._screen.line(wording.last_line(end, changed, failed, check=self._check), colour)

    @property
    def seconds(self) -> float:
        """How long the run takes so far."""
        return time.monotonic() - self._began

    def _end_task(self) -> None:
        outcomes, self._outcomes = self._outcomes, []
        self._screen.drain()
        if self._step is None or not outcomes:
            return
        self._step.hosts.update(found.host for found in outcomes if found.kind != "skipped")
        self._step.changed |= any(found.kind == "changed" for found in outcomes)
        self._step.failed += [found.host for found in outcomes if found.kind in FATAL]
        for line, kind in wording.task_lines(self._task, outcomes, check=self._check):
            self._detail(line, _COLOURS[kind])

    def _detail(self, text: str, colour: str | None) -> None:
        """Print a line below the step's title, unless a command's progress has shown it."""
        if text.strip() and text.strip() in self._screen.progress_shown:
            return
        self._open()
        self._screen.line(text, colour, indent=4)

    def _open(self) -> None:
        """Print the step's title above its first detail."""
        if self._step and not self._step.opened:
            self._step.opened = True
            self._screen.line(f"• {self._step.title}")
