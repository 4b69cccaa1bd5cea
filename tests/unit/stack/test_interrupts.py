"""Signals during a deploy: the first one ends it, and none of the others stops the rollback."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# A deploy of a version that never runs. While it is rolled back, and while it waits for the lock,
# the process blocks until the test sends a line.
DEPLOY = """
import select, sys
from swarmctl.errors import SwarmctlError
from swarmctl.stack.deploy.deploy import DeployOptions, DeployProgress, carry_out
from swarmctl.stack.deploy.failure import StackBefore
from swarmctl.stack.deploy.interrupts import Interrupts
from tests.unit.stack.test_rollback import FakeEngine, planned, service_spec, wanted

def block():
    # A signal just before a read without an end would wait for that end.
    while not select.select([sys.stdin], [], [], 0.1)[0]:
        pass

class Slow(FakeEngine):
    def _update(self, kind, entry, spec, params):
        if params.get("rollback"):
            print("rolling back", flush=True)
            block()
        return super()._update(kind, entry, spec, params)

def say(text):
    print(text, flush=True)

fake, polls = Slow(), []
fake.add("services", service_spec("web"))
before = StackBefore.read(fake, "shop", {})
plan = planned(fake, wanted(service_spec("web", image="bad:1")))
def gone(text):
    raise OSError(5, "Input/output error")

note = gone if "gone" in sys.argv else say
show = DeployProgress(note, lambda services: polls or polls.append(say("waiting")))
with Interrupts("shop") as interrupts:
    try:
        with interrupts.deferred():
            if "deferred" in sys.argv:
                say("in the block")
                block()
                say("at its end")
        wait = 0.01 if "fail" in sys.argv else 60
        carry_out(fake, plan, before, DeployOptions(wait=wait, settle=0), show, interrupts)
    except SwarmctlError as fault:
        say(f"exit {int(fault.exit_code)}")
    except KeyboardInterrupt:
        say("interrupted before anything was changed")
say(fake.named("services", "shop_web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"])
"""


class Deploying:
    """The process, and what it printed."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", DEPLOY, *words],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until(self, text: str) -> None:
        """Read what it prints until this line."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == text:
                return
        raise AssertionError(f"it never printed {text!r}")

    def answer(self, number: signal.Signals) -> str:
        """Send a signal and read how it is acknowledged."""
        self.process.send_signal(number)
        assert self.process.stderr is not None
        while not (line := self.process.stderr.readline()).strip():
            assert line, "it ended without an acknowledgement"
        return line

    def finish(self) -> list[str]:
        """Let it go on; returns the rest of its output."""
        return self.process.communicate("go on\n", timeout=20)[0].splitlines()


@pytest.fixture
def start() -> Iterator[type[Deploying]]:
    started: list[Deploying] = []

    class Started(Deploying):
        def __init__(self, *words: str) -> None:
            super().__init__(*words)
            started.append(self)

    yield Started
    for deploying in started:
        deploying.process.kill()
        deploying.process.communicate()


OTHERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("first", OTHERS)
def test_no_second_signal_stops_the_rollback_of_an_interrupted_deploy(
    start: type[Deploying], first: signal.Signals
) -> None:
    deploying = start()
    deploying.until("waiting")
    deploying.process.send_signal(first)
    deploying.until("rolling back")
    for number in OTHERS:
        said = deploying.answer(number)
        assert said.startswith(f"{number.name}: still rolling back shop, within 120 s")
        assert f"kill -9 {deploying.process.pid}, then swarmctl stack unlock shop" in said
    assert deploying.finish()[-2:] == ["exit 130", "httpd:2.4"]


def test_no_signal_stops_the_rollback_of_a_deploy_that_failed(start: type[Deploying]) -> None:
    deploying = start("fail")
    deploying.until("rolling back")
    for number in OTHERS:
        assert "a signal does not stop it" in deploying.answer(number)
    assert deploying.finish()[-2:] == ["exit 1", "httpd:2.4"]


def test_a_rollback_goes_on_when_the_terminal_is_gone(start: type[Deploying]) -> None:
    deploying = start("gone")
    deploying.until("waiting")
    assert deploying.process.stderr is not None
    deploying.process.stderr.close()
    deploying.process.send_signal(signal.SIGHUP)
    deploying.until("rolling back")
    deploying.process.send_signal(signal.SIGHUP)
    assert deploying.process.stdin is not None
    deploying.process.stdin.write("go on\n")
    deploying.process.stdin.flush()
    deploying.until("httpd:2.4")


def test_a_signal_while_the_lock_is_taken_counts_when_it_is_held(start: type[Deploying]) -> None:
    deploying = start("deferred")
    deploying.until("in the block")
    deploying.process.send_signal(signal.SIGTERM)
    said = deploying.finish()
    assert said == ["at its end", "interrupted before anything was changed", "httpd:2.4"]
