"""The agent: polls the managers and offers each new edition to the listeners.

The Engine has no events for tasks (moby#37403), so its state is polled; other events only wake the
agent early. Level-triggered: every edition is computed from a whole snapshot, so the agent can be
killed at any moment, and two at once do no harm. While no manager answers, the last edition stays.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.contact import Contact
from swarmctl.discovery.edition import Edition, KeyValue, difference, follow
from swarmctl.discovery.endpoint import Problem
from swarmctl.discovery.forgotten.ask_nodes import AskPorts, forgotten
from swarmctl.discovery.forgotten.memory import Memory, complete
from swarmctl.discovery.listeners.listener import Outlet, State
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Port, Swarm
from swarmctl.swarm.observe.host_ports import with_ports

ASK_PORTS_EVERY_S, LONGEST_ASK_PAUSE_S = 5.0, 300.0
START_S = 20.0

Ports = dict[str, tuple[Port, ...]]  # by task id


class Source(Protocol):
    """The Swarm, through whichever manager answers."""

    def snapshot(self) -> Swarm:
        """Everything the managers know now.

        Raises:
            SwarmctlError: none of them answers.
        """

    def keys(self) -> tuple[KeyValue, ...]:
        """The key/value store; raises as :meth:`snapshot` does."""


@dataclass
class Agent:
    """One process of discovery.

    Args:
        source: the Swarm.
        outlets: who publishes.
        contact: updated at each poll.
        note: called with each line of the log.
        ask: finds ports that the managers forgot; ``None`` if nobody else knows them.
        interval: seconds between two polls.
        wait: lets so many seconds pass, or fewer if the managers report a change.
    """

    source: Source
    contact: Contact
    note: Callable[[str], None]
    ask: AskPorts | None = None
    interval: float = 0.5
    wait: Callable[[float], None] = time.sleep
    outlets: list[Outlet] = field(default_factory=list)
    edition: Edition | None = None
    _memory: Memory = field(default_factory=Memory)
    _problems: tuple[Problem, ...] = ()
    _nodes: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    _asked: Future[Ports] | None = None
    _ask_at: float = 0.0
    _asks: int = 0  # in vain

    def start(self, seconds: float = START_S) -> None:
        """Poll for the first time, when the ports that the managers forgot are known.

        Else the first edition would name no endpoint of services that serve.

        Args:
            seconds: to wait for these ports at most.

        Raises:
            SwarmctlError: no manager answers.
        """
        deadline = time.monotonic() + seconds
        waiting = False
        while missing := self._learn():
            if time.monotonic() >= deadline:
                self.note(f"not known in {seconds:g} s: the host ports of {', '.join(missing)}")
                break
            if not waiting:
                self.note(f"asking for the host ports of {', '.join(missing)}")
                waiting = True
            self.wait(1.0)
        self.poll()

    def _learn(self) -> tuple[str, ...]:
        """Ask for forgotten ports, and wait; returns the services of which some are missing."""
        swarm, self._memory = complete(self.source.snapshot(), self._memory)
        if self.ask is None or not (services := forgotten(swarm)):
            return ()
        found = self._answer(partial(self.ask, swarm, services))
        swarm, self._memory = complete(with_ports(swarm, found), self._memory)
        return tuple(service.name for service in forgotten(swarm))

    def run(self, stop: threading.Event) -> None:
        """Poll until ``stop`` is set."""
        while not stop.is_set():
            began = time.monotonic()
            try:
                self.poll()
            except SwarmctlError as fault:
                if not self.contact.lost:
                    self.note(f"no manager answers: {_line(fault)}; serving what was known last")
                self.contact.failed(fault.message)
            self.wait(max(0.05, self.interval - (time.monotonic() - began)))

    def close(self) -> None:
        """End what runs beside."""
        self._nodes.shutdown(wait=False, cancel_futures=True)

    def states(self) -> dict[str, State]:
        """How each listener is doing."""
        return {outlet.listener.name: outlet.state for outlet in self.outlets}

    def poll(self) -> None:
        """Ask the managers once, and offer what is new.

        Raises:
            SwarmctlError: none of them answers.
        """
        swarm, keys = self.source.snapshot(), self.source.keys()
        if self.contact.lost:
            self.note(f"a manager answers again, after {self.contact.age:.1f} s")
        self.contact.heard()
        swarm, self._memory = complete(self._with_asked_ports(swarm), self._memory)
        edition = follow(self.edition, catalogue(swarm), keys, time.time_ns() // 1_000_000)
        if edition is not self.edition:
            self._log(edition)
            self.edition = edition
            self.offer()

    def offer(self) -> None:
        """Have the edition in force published by all listeners."""
        if self.edition is not None:
            for outlet in self.outlets:
                outlet.offer(self.edition)

    def _log(self, edition: Edition) -> None:
        changed = difference(self.edition, edition)
        for text in changed.came:
            self.note(f"+ {text}")
        for text in changed.went:
            self.note(f"- {text}")
        for problem in set(edition.catalogue.problems) - set(self._problems):
            self.note(f"{problem.service}: not published: {problem.text}")
        self._problems = edition.catalogue.problems

    def _with_asked_ports(self, swarm: Swarm) -> Swarm:
        """The snapshot with ports that were asked for beside the polls, ever more rarely."""
        if self._asked is not None and self._asked.done():
            swarm, self._asked = with_ports(swarm, self._answer(self._asked.result)), None
        if self.ask is None or self._asked is not None:
            return swarm
        known, _ = complete(swarm, self._memory)
        services, now = forgotten(known), time.monotonic()
        if not services:
            self._asks = 0
        elif now >= self._ask_at:
            self._ask_at = now + min(LONGEST_ASK_PAUSE_S, ASK_PORTS_EVERY_S * 2.0**self._asks)
            self._asks = min(self._asks + 1, 10)
            self._asked = self._nodes.submit(self.ask, known, services)
        return swarm

    def _answer(self, of: Callable[[], Ports]) -> Ports:
        try:
            return of()
        except SwarmctlError as fault:
            self.note(f"forgotten host ports: {_line(fault)}")
        except Exception as fault:  # noqa: BLE001  # who is asked for ports ends no agent
            self.note(f"forgotten host ports: {type(fault).__name__}: {fault}")
        return {}


def _line(fault: SwarmctlError) -> str:
    return " ".join(fault.message.split())
