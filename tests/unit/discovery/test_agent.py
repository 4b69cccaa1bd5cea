"""The agent: what it offers to its listeners as the Swarm changes and its managers come and go."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pytest

from swarmctl.discovery.agent import Agent
from swarmctl.discovery.contact import Contact
from swarmctl.discovery.edition import KeyValue
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Port, Swarm
from swarmctl.swarm.observe.host_ports import read_host_ports
from swarmctl.wait import wait_for
from tests.unit.discovery.shop import port, shop
from tests.unit.engine_json import task


class Script:
    """A source that gives one snapshot after another, then ends the agent."""

    def __init__(self, snapshots: Sequence[Swarm | SwarmctlError], stop: threading.Event) -> None:
        self._left, self._stop = list(snapshots), stop

    def snapshot(self) -> Swarm:
        found = self._left.pop(0)
        if not self._left:
            self._stop.set()
        if isinstance(found, SwarmctlError):
            raise found
        return found

    def keys(self) -> tuple[KeyValue, ...]:
        return ()


class Outlets(list[Any]):
    """Records offers instead of publishing them."""

    def __init__(self) -> None:
        super().__init__([self])
        self.offered: list[list[str]] = []

    def offer(self, edition: Any) -> None:
        self.offered.append([e.place for e in edition.catalogue.endpoints])


def run(snapshots: Sequence[Swarm | SwarmctlError]) -> tuple[Agent, Outlets, list[str]]:
    stop, notes, outlets = threading.Event(), list[str](), Outlets()
    agent = Agent(Script(snapshots, stop), Contact(), notes.append, wait=lambda _: None)
    agent.outlets = outlets
    agent.run(stop)
    agent.close()
    return agent, outlets, notes


WEB1 = "10.42.0.5:32768"
WEB2 = "10.42.0.6:32768"
LESS = shop(tasks=[task("shop_web", "wkr_1", 1, id="task1", ports=[port(80, 32768)])])


def test_each_change_is_offered_once_and_logged() -> None:
    _, outlets, notes = run([shop(), shop(), LESS, LESS, shop()])
    assert outlets.offered == [[WEB1, WEB2], [WEB1], [WEB1, WEB2]]
    assert notes == [
        f"+ shop-web {WEB1} on wkr_1",
        f"+ shop-web {WEB2} on wkr_2",
        f"- shop-web {WEB2} on wkr_2",
        f"+ shop-web {WEB2} on wkr_2",
    ]


def test_without_a_manager_the_last_edition_stays_and_both_ends_of_the_gap_are_noted() -> None:
    gone = SwarmctlError("no route")
    agent, outlets, notes = run([shop(), gone, gone, shop()])
    assert outlets.offered == [[WEB1, WEB2]]
    assert notes[2] == "no manager answers: no route; serving what was known last"
    assert notes[3].startswith("a manager answers again, after ")
    assert agent.contact.lost == ""
    lost, _, _ = run([shop(), gone])
    assert lost.contact.lost == "no route"


def test_an_agent_that_reaches_no_manager_at_the_start_says_so() -> None:
    stop = threading.Event()
    agent = Agent(Script([SwarmctlError("no route")], stop), Contact(), print)
    with pytest.raises(SwarmctlError, match="no route"):
        agent.poll()


class Nodes:
    """A shell whose node reports one container's ports."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def run(self, node: str, script: str, timeout_s: float = 20.0) -> str:
        self.asked.set()
        bindings: Mapping[str, Any] = {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32999"}]}
        ports = json.dumps(bindings)
        return f"task7 {ports}\ntask8 {ports}\nother {ports}\n" if node == "wkr_1" else ""


FORGOTTEN = shop(tasks=[task("shop_web", "wkr_1", 1, id="task7")])


def asking(swarm: Swarm, ask: Any) -> tuple[Agent, Outlets, list[str]]:
    """An agent that sees the same Swarm for ever, and can ask for ports."""
    notes, outlets = list[str](), Outlets()
    source = Script([swarm] * 10_000, threading.Event())
    agent = Agent(source, Contact(), notes.append, ask, wait=lambda _: None)
    agent.outlets = outlets
    return agent, outlets, notes


def test_a_port_that_the_managers_never_told_is_asked_for() -> None:
    """At the start before anything is published, later beside the polls."""
    agent, outlets, _ = asking(FORGOTTEN, partial(read_host_ports, Nodes()))
    agent.start()
    assert outlets.offered == [["10.42.0.5:32999"]]
    later = shop(tasks=[task("shop_web", "wkr_1", 1, id="task8")])
    agent.source = Script([later] * 10_000, threading.Event())

    def offered() -> tuple[bool | None, str]:
        agent.poll()
        found = [e.id for e in agent.edition.catalogue.endpoints] if agent.edition else []
        return (found == ["task8"] or None), str(found)

    wait_for("the node's answer", offered, timeout=10, interval=0.01)
    assert agent.edition is not None
    assert agent.edition.catalogue.problems == ()
    agent.close()


def test_nothing_is_published_before_forgotten_ports_are_known() -> None:
    """Broken: a new agent on a slow machine takes serving replicas from the load balancer."""
    answers: list[Any] = [SwarmctlError("slow"), {}, {"task7": (Port("tcp", 80, 32999, "host"),)}]

    def ask(swarm: Swarm, services: Any) -> Any:
        assert outlets.offered == []
        answer = answers.pop(0)
        if isinstance(answer, SwarmctlError):
            raise answer
        return answer

    agent, outlets, notes = asking(FORGOTTEN, ask)
    agent.start()
    assert outlets.offered == [["10.42.0.5:32999"]]
    assert notes[:2] == [
        "forgotten host ports: slow",
        "asking for the host ports of shop_web",
    ]


def test_a_port_that_nobody_knows_does_not_hold_up_the_others_for_ever() -> None:
    known = task("shop_web", "wkr_2", 2, id="task2", ports=[port(80, 32768)])
    half = shop(tasks=[task("shop_web", "wkr_1", 1, id="task7"), known])
    agent, outlets, notes = asking(half, lambda *_: {})
    agent.start(seconds=0)
    assert outlets.offered == [[WEB2]]
    assert notes[0] == "not known in 0 s: the host ports of shop_web"


def test_no_failure_of_who_is_asked_for_ports_ends_the_agent() -> None:
    """Broken: one answer that cannot be read, and the agent is gone."""

    def ask(*_: Any) -> Any:
        raise KeyError("Instances")

    agent, _, notes = asking(FORGOTTEN, ask)

    def noted() -> tuple[bool | None, str]:
        agent.poll()
        return ("forgotten host ports: KeyError: 'Instances'" in notes or None), str(notes)

    wait_for("the line", noted, timeout=10, interval=0.01)
    agent.close()
