"""Ansible's events, for swarmctl.playbook_output: one line a step instead of several a task."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible import constants as C  # noqa: N812  # as Ansible itself names it
from ansible import context
from ansible.playbook.block import Block
from ansible.playbook.role_include import IncludeRole
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback import CallbackBase

from swarmctl.playbook_output.narrator import Narrator
from swarmctl.playbook_output.outcome import End, HostTotals, Kind, Outcome, Task
from swarmctl.playbook_output.screen import Screen
from swarmctl.reading.texts import clean

DOCUMENTATION = """
name: steps
type: stdout
short_description: One line a step
description:
  - One line for each step (a role, or a play without roles), with what changed or failed, the
    progress of swarmctl commands, and at the end each host's counts, the addresses that answer and
    the time.
  - C(ANSIBLE_STDOUT_CALLBACK=default) shows every task instead; C(-v) adds results.
extends_documentation_fragment:
  - result_format_callback
"""

# Of a play that does nothing else, only a failure is worth a line.
_CHECKS = ("assert", "debug", "group_by", "meta", "set_fact", "set_stats")
_TAIL = 20  # lines of a failed command's output


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible has no type information
    """Passes on what happens."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "steps"

    def v2_playbook_on_start(self, _playbook: Any) -> None:
        """Prepare the screen, and a file for the progress of `swarmctl` commands."""
        self._pid = os.getpid()
        self._folder = Path(tempfile.mkdtemp(prefix="swarmctl-output-"))
        progress = self._folder / "progress"
        os.environ["SWARMCTL_PROGRESS"] = str(progress)
        live = sys.stdout.isatty() and os.environ.get("TERM") not in (None, "", "dumb")
        print_line = self._display.display
        self._screen = Screen(lambda text, colour: print_line(text, color=colour), progress, live)

        def display(*args: Any, **kwargs: Any) -> None:
            self._screen.clear()
            print_line(*args, **kwargs)

        self._display.display = display  # warnings and prompts of Ansible itself
        self._narrator = Narrator(self._screen, check=bool(context.CLIARGS.get("check")))
        self._changed_items: dict[str, list[str]] = {}
        self._failed_items: dict[str, list[str]] = {}
        self._play: Any = None
        if context.CLIARGS.get("check"):
            self._screen.line("Check mode: nothing is changed.")
        atexit.register(self._close)  # Ctrl-C ends the run without its last event
        self._screen.start()

    def _close(self) -> None:
        if self._folder.exists() and os.getpid() == self._pid:
            self._screen.close()
            # A leftover in /tmp must not turn a good run into a failed one.
            shutil.rmtree(self._folder, ignore_errors=True)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """A play begins."""
        # Each task runs in a fork of this process, which would search all of it for garbage.
        gc.freeze()
        self._narrator.end_step()
        self._play = play

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Its pattern matches no host."""
        self._narrator.no_hosts(self._play.get_name().strip())

    def v2_playbook_on_task_start(
        self,
        task: Any,
        is_conditional: bool,  # noqa: ARG002  # Ansible passes it by name
    ) -> None:
        """A task begins."""
        self._begin(task, self._play.get_name().strip())

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """A handler begins: at the end of a play it is a step of its own."""
        self._begin(task, task.get_name().strip())

    def _begin(self, task: Any, title: str) -> None:
        role = task._role
        if role is None:
            key: object = (self._play._uuid, title)
        else:
            part = role._from_files.get("tasks", "")
            key = (self._play._uuid, role.get_name(), part)
            described = (role._metadata.galaxy_info or {}).get("description")
            title = _included_as(task) if part else described or role.get_name()
        self._narrator.step(key, title)
        name = task.get_name().strip().removeprefix(f"{role.get_name()} : " if role else "")
        action = task.action.removeprefix("ansible.builtin.")
        if role is not None or action not in _CHECKS:
            self._narrator.notable()
        self._narrator.task(Task(name, _place(task)), asks=action == "pause")

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task succeeded on a host."""
        if isinstance(result.task, TaskInclude):
            return
        host = result.host.get_name()
        changed = bool(result.result.get("changed"))
        items = tuple(self._changed_items.pop(_key(result), ()))
        self._narrator.outcome(Outcome(host, "changed" if changed else "ok", items=items))
        self._say(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """A task does not concern a host."""
        self._narrator.outcome(Outcome(result.host.get_name(), "skipped"))

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task failed on a host."""
        self._handle_warnings(result.result)
        items = self._failed_items.pop(_key(result), None)
        text = tuple(items or _failure(result.result))
        kind: Kind = (
            "ignored" if ignore_errors else "rescued" if _has_rescue(result.task) else "failed"
        )
        self._narrator.outcome(Outcome(result.host.get_name(), kind, text))
        if self._display.verbosity:
            self._narrator.say(self._dump_results(result.result).splitlines(), C.COLOR_ERROR)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host does not answer."""
        kind: Kind = "ignored" if result.task.ignore_unreachable else "unreachable"
        text = tuple(_failure(result.result))
        self._narrator.outcome(Outcome(result.host.get_name(), kind, text))

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """An item of a loop succeeded."""
        if isinstance(result.task, TaskInclude):
            return
        if result.result.get("changed"):
            label = str(self._get_item_label(result.result))
            self._changed_items.setdefault(_key(result), []).append(label)
        self._say(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        """An item of a loop failed."""
        self._handle_warnings(result.result)
        label = self._get_item_label(result.result)
        lines = _failure(result.result)
        self._failed_items.setdefault(_key(result), []).extend(f"{label}: {line}" for line in lines)

    def v2_runner_retry(self, result: Any) -> None:
        """A task is tried again."""
        tries, attempt = result.result["retries"], result.result["attempts"]
        self._narrator.retry(result.host.get_name(), attempt + 1, tries)

    def v2_on_file_diff(self, result: Any) -> None:
        """What a task changes in a file (--diff)."""
        for found in result.result.get("results") or [result.result]:
            if isinstance(found, Mapping) and found.get("diff") and found.get("changed"):
                self._narrator.say(self._get_diff(found["diff"]).splitlines())

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The run ended."""
        hosts = sorted(stats.processed)
        totals = [HostTotals(host=host, **stats.summarize(host)) for host in hosts]
        remarks = [
            line for lines in stats.custom.get("_run", {}).values() for line in _lines(lines)
        ]
        self._narrator.end(End(totals, remarks, self._narrator.seconds))
        self._close()

    def _say(self, result: Any) -> None:
        """Show warnings, and the message of a task that has one for people (debug, assert)."""
        self._handle_warnings(result.result)
        if not self._run_is_verbose(result) or "results" in result.result:
            return
        self._clean_results(result.result, result.task.action)
        if self._display.verbosity == 0 and "msg" in result.result:
            self._narrator.say(list(_lines(result.result["msg"])))
        else:
            self._narrator.say(self._dump_results(result.result).strip("\n").splitlines())


def _key(result: Any) -> str:
    return f"{result.host.get_name()} {result.task._uuid}"


def _place(task: Any) -> str:
    """``file:line``, relative to the current directory if it is below it."""
    path = task.get_path() or ""
    return path.removeprefix(f"{Path.cwd()}/")


def _lines(value: object) -> Iterator[str]:
    for part in value if isinstance(value, list | tuple) else [value]:
        yield from clean(str(part)).splitlines() or [""]


def _failure(result: Mapping[str, Any]) -> list[str]:
    """What a failed task says: its message, and the end of the output of its command."""
    if "censored" in result:
        return ["its output is hidden, because it may hold secrets (no_log)"]
    lines = list(_lines(result.get("msg") or result.get("reason") or "no message"))
    for name in ("stderr", "module_stderr", "stdout", "module_stdout"):
        if text := str(result.get(name) or "").rstrip():
            return lines + clean(text).splitlines()[-_TAIL:]
    return lines


def _included_as(task: Any) -> str:
    """The name under which a playbook includes these tasks of a role, else the task's own."""
    parent = task._parent
    while parent is not None and not (isinstance(parent, IncludeRole) and parent.name):
        parent = parent._parent
    return str(parent.name if parent else task.name)


def _has_rescue(task: Any) -> bool:
    """Whether a block around the task handles its failure."""
    node, parent = task, task._parent
    while parent is not None:
        handled = parent.block if isinstance(parent, Block) and parent.rescue else ()
        if any(part._uuid == node._uuid for part in handled):
            return True
        node, parent = parent, parent._parent
    return False
