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
from typing import Protocol

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.contact import Contact
from swarmctl.discovery.edition import Edition, KeyValue, difference, follow
from swarmctl.discovery.endpoint import Problem
from swarmctl.discovery.forgotten.ask_nodes import ask_nodes, forgotten, with_ports
from swarmctl.discovery.forgotten.memory import Memory, complete
from swarmctl.discovery.listeners.listener import Outlet, State
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Port, Swarm
from swarmctl.swarm.observe.host_ports import Shell, read_host_ports

ASK_NODES_EVERY_S = 5.0


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
        shell: commands on the nodes, for ports that the managers forgot; ``None`` without.
        interval: seconds between two polls.
        wait: lets so many seconds pass, or fewer if the managers report a change.
    """

    source: Source
    contact: Contact
    note: Callable[[str], None]
    shell: Shell | None = None
    interval: float = 0.5
    wait: Callable[[float], None] = time.sleep
    outlets: list[Outlet] = field(default_factory=list)
    edition: Edition | None = None
    _memory: Memory = field(default_factory=Memory)
    _problems: tuple[Problem, ...] = ()
    _nodes: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    _asked: Future[dict[str, tuple[Port, ...]]] | None = None
    _asked_at: float = 0.0

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
        swarm, self._memory = complete(self._with_ports_of_nodes(swarm), self._memory)
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

    def _with_ports_of_nodes(self, swarm: Swarm) -> Swarm:
        """The snapshot with the ports that nodes reported.

        They are asked beside the polls; at the start they are waited for, so that an agent that is
        started again does not call a service gone because the managers forgot its ports.
        """
        if self._asked is not None and self._asked.done():
            swarm, self._asked = with_ports(swarm, self._asked.result()), None
        if self.shell is None or self._asked is not None:
            return swarm
        if self.edition is None:
            return ask_nodes(swarm, self.shell)
        known, _ = complete(swarm, self._memory)
        services, now = forgotten(known), time.monotonic()
        if services and now - self._asked_at >= ASK_NODES_EVERY_S:
            self._asked_at = now
            self._asked = self._nodes.submit(read_host_ports, self.shell, known, services)
        return swarm


def _line(fault: SwarmctlError) -> str:
    return " ".join(fault.message.split())
