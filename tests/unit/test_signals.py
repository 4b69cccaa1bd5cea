"""Ctrl-C, SIGTERM and a closed terminal end a command in the same way, and clean up once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarmctl.signals import SIGNALS, end_like_ctrl_c, interrupted_once

ROOT = Path(__file__).resolve().parents[2]

WHILE_IT_WORKS = """
import os, signal, sys
from swarmctl.cli.main import run
from swarmctl.stack.render import folders

def names():
    try:
        os.kill(os.getpid(), signal.NAME)
        return ["shop"]
    finally:
        sys.stderr.write("cleaned up\\n")

folders.stack_names = names
signal.signal(signal.SIGHUP, signal.HUP)
run()
"""
AT_EXIT = """
import atexit, os, signal
from swarmctl.cli.main import run

atexit.register(lambda: os.kill(os.getpid(), signal.NAME))
run()
"""


def ended(
    name: str, hangup: str = "SIG_DFL", *, at_exit: bool = False
) -> subprocess.CompletedProcess[str]:
    """How a command ends that gets a signal while it works, or after it."""
    script = (
        (AT_EXIT if at_exit else WHILE_IT_WORKS)
        .replace("signal.NAME", f"signal.{name}")
        .replace("signal.HUP", f"signal.{hangup}")
    )
    return subprocess.run(
        [sys.executable, "-c", script, "stack", "list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_each_signal_ends_a_command_in_order(name: str) -> None:
    """Broken: SIGTERM ends it at once, and what it has taken (a lock, a machine) is left."""
    done = ended(name)
    assert (done.returncode, done.stderr) == (130, "cleaned up\nerror: interrupted\n")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_while_python_shuts_down_prints_no_traceback(name: str) -> None:
    """Broken: "Exception ignored in …" after the message of the command."""
    done = ended(name, at_exit=True)
    assert (done.returncode, done.stderr) == (-getattr(signal, name), "")


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """``nohup swarmctl …`` outlives its terminal."""
    done = ended("SIGHUP", "SIG_IGN")
    assert (done.returncode, done.stdout) == (0, "shop\n")


@pytest.fixture
def restored() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_only_the_first_signal_interrupts_and_the_handlers_are_given_back(
    capfd: pytest.CaptureFixture[str], restored: None
) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    end_like_ctrl_c()
    before = [signal.getsignal(number) for number in SIGNALS]
    with interrupted_once("removing the machine"):
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        for number in SIGNALS:
            os.kill(os.getpid(), number)
    said = capfd.readouterr().err
    assert said.count("still removing the machine; a signal does not stop it.") == 3
    assert [signal.getsignal(number) for number in SIGNALS] == before
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_failure_is_cleaned_up_to_its_end_too(capfd: pytest.CaptureFixture[str]) -> None:
    with interrupted_once("removing the machine") as shield:
        shield()
        os.kill(os.getpid(), signal.SIGINT)
    assert "SIGINT: still removing" in capfd.readouterr().err
