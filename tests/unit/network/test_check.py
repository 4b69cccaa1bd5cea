"""The paths between nodes and the published ports: what does not answer is found."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from swarmctl.cloud.instances import Instance
from swarmctl.cloud.rules import LOAD_BALANCER, Rule
from swarmctl.cluster import Target
from swarmctl.errors import SwarmctlError
from swarmctl.network import check, paths
from swarmctl.network.access import AccessTo, access_by, no_rules
from swarmctl.network.finding import Finding, Severity
from swarmctl.network.ports import ProbeAddress, ProbeAnswer
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.observe.host_ports import with_host_ports
from swarmctl.wait import Clock
from tests.unit.engine_fake import FakeEngine, service_spec
from tests.unit.engine_json import node, service, swarm, task

TEST = re.compile(r"^(tcp|overlay) (\d+) (\S+) ?(\d*) &$", re.M)


@dataclass
class FakeShell:
    """Answers a node's tests: ``closed`` names (address, port) that do not answer."""

    addresses: dict[str, str]
    closed: set[tuple[str, str]] = field(default_factory=set)
    silent: str = ""

    def run(self, node: str, script: str, timeout_s: float = 1) -> str:
        if node == self.silent:
            raise SwarmctlError(f"{node}: no route to host")
        if "network inspect" in script:
            return f"{self.addresses[node]}/24\n"
        lines = []
        for kind, number, host, port in TEST.findall(script):
            answers = (host, port or kind) not in self.closed
            lines.append(f"{number} {'yes' if answers else 'no'}")
        return "\n".join(lines)


def three_nodes() -> Swarm:
    return swarm([node("mgr1", "manager"), node("wkr1"), node("wkr2")], [], [])


def findings_of(shell: FakeShell) -> list[Finding]:
    return [*paths.path_findings(paths.check_paths(shell, three_nodes()))]


OVERLAY = {"mgr1": "10.240.0.2", "wkr1": "10.240.0.3", "wkr2": "10.240.0.4"}


def address(name: str) -> str:
    return next(n.address for n in three_nodes().nodes if n.hostname == name)


def test_every_pair_of_nodes_is_tested_and_answers() -> None:
    found = paths.check_paths(FakeShell(OVERLAY), three_nodes())
    assert [*paths.path_findings(found)] == []
    pairs = {(path.source, path.target) for path in found.tested if path.port == paths.OVERLAY}
    assert len(pairs) == 6
    management = {(p.source, p.target) for p in found.tested if p.port == paths.MANAGEMENT}
    assert management == {("wkr1", "mgr1"), ("wkr2", "mgr1")}


@dataclass
class Time:
    """Passes only in pauses; the overlay of ``shell`` is whole from ``whole_at`` on."""

    shell: FakeShell
    whole_at: float
    now_s: float = 0.0

    def now(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> None:
        self.now_s += seconds
        if self.now_s >= self.whole_at:
            self.shell.closed.clear()


def settled(shell: FakeShell, whole_at: float) -> tuple[paths.Paths, list[str]]:
    said: list[str] = []
    time = Time(shell, whole_at)
    clock = Clock(time.now, time.pause)
    return paths.settled_paths(shell, three_nodes(), said.append, clock), said


def test_an_overlay_network_that_settles_is_waited_for() -> None:
    """Broken: a network that recovers by itself after a partition is reported as broken."""
    found, said = settled(FakeShell(OVERLAY, {("10.240.0.3", "overlay")}), 60)
    assert [*paths.path_findings(found)] == []
    assert said == ["wkr1 does not answer mgr1, wkr2"] * 30


def test_an_overlay_network_that_stays_broken_is_found_after_three_minutes() -> None:
    found, said = settled(FakeShell(OVERLAY, {("10.240.0.3", "overlay")}), 10_000)
    assert [f.place for f in paths.path_findings(found)] == ["wkr1"]
    assert len(said) == 91


def test_other_ports_are_not_waited_for() -> None:
    found, said = settled(FakeShell(OVERLAY, {(address("mgr1"), "2377")}), 60)
    assert [f.place for f in paths.path_findings(found)] == ["mgr1"]
    assert said == []


def test_a_closed_overlay_is_found_with_the_nodes_it_concerns() -> None:
    (found,) = findings_of(FakeShell(OVERLAY, {("10.240.0.3", "overlay")}))
    assert found.place == "wkr1"
    assert found.what == "the overlay network (4789/udp) does not answer mgr1, wkr2"
    assert found.severity is Severity.ERROR


@pytest.mark.parametrize(("port", "sources"), [("7946", "wkr1, wkr2"), ("2377", "wkr1, wkr2")])
def test_a_closed_port_of_swarm_is_found(port: str, sources: str) -> None:
    (found,) = findings_of(FakeShell(OVERLAY, {(address("mgr1"), port)}))
    assert (found.place, found.what) == ("mgr1", f"{port}/tcp does not answer {sources}")


def test_a_node_that_cannot_be_asked_is_a_warning() -> None:
    (found,) = findings_of(FakeShell(OVERLAY, silent="wkr2"))
    assert (found.place, found.severity) == ("wkr2", Severity.WARNING)
    assert "no route to host" in found.what


def test_the_script_tells_an_answer_from_silence() -> None:
    """A refusal proves the overlay's path, and is no answer of Swarm's own ports."""
    functions = paths._TEST.replace("nsenter --net=/var/run/docker/netns/ingress_sbox", "")
    script = functions + "tcp 0 127.0.0.1 1\noverlay 1 127.0.0.1\noverlay 2 not.a.host.invalid\n"
    done = subprocess.run(["sh"], input=script, text=True, capture_output=True, check=True)
    assert done.stdout.split("\n") == ["0 no", "1 yes", "2 no", ""]


# --- published ports ------------------------------------------------------------------------------


def published(answer: ProbeAnswer, access: AccessTo = no_rules) -> list[Finding]:
    fake = FakeEngine()
    ports = [{"TargetPort": 80, "PublishedPort": 8080, "Protocol": "tcp", "PublishMode": "ingress"}]
    fake.add("services", service_spec("web", EndpointSpec={"Ports": ports}))
    return [*check.port_findings(fake.snapshot(), {}, access, lambda _: answer)]


def opened(*rules: Rule) -> AccessTo:
    ssh = Rule("tcp", 22, 22, "198.51.100.7/32")
    return access_by(dict.fromkeys(("mgr1", "wkr1"), (ssh, *rules)))


OPEN = opened(Rule("tcp", 8080, 8080, "0.0.0.0/0"))


def test_a_port_that_answers_is_no_finding() -> None:
    assert published(ProbeAnswer(200), OPEN) == []


def test_a_port_that_only_the_load_balancer_may_reach_is_no_finding() -> None:
    balanced = opened(Rule("tcp", 8080, 8080, LOAD_BALANCER))
    assert published(ProbeAnswer(), balanced) == []
    assert published(ProbeAnswer(503), balanced) != []


@pytest.mark.parametrize("answer", [ProbeAnswer(503), ProbeAnswer()])
def test_a_port_that_should_answer_and_does_not_is_an_error(answer: ProbeAnswer) -> None:
    (found,) = published(answer, OPEN)
    assert (found.place, found.severity) == ("shop_web", Severity.ERROR)
    assert str(answer) in found.what


def test_a_server_error_is_an_error_whatever_the_rules_are() -> None:
    (found,) = published(ProbeAnswer(503))
    assert found.severity is Severity.ERROR


@pytest.mark.parametrize(
    ("access", "words"),
    [
        (opened, "the security groups close the published port 8080/tcp"),
        (lambda: no_rules, "may open it to others only"),
    ],
)
def test_a_port_that_cannot_be_reached_from_here_is_a_warning(
    access: Callable[[], AccessTo], words: str
) -> None:
    (found,) = published(ProbeAnswer(), access())
    assert found.severity is Severity.WARNING
    assert words in found.what


def mesh(*targets: int) -> list[dict[str, Any]]:
    return [
        {"TargetPort": t, "PublishedPort": 8000 + t, "Protocol": "tcp", "PublishMode": "ingress"}
        for t in targets
    ]


def test_every_address_of_a_port_is_asked_and_the_silent_ones_are_counted() -> None:
    """Broken: one good address of three hides the others, and what lies behind the third."""
    nodes = [node("mgr1", "manager"), node("wkr1"), node("wkr2")]
    found = swarm(nodes, [service("web", ports=mesh(80))], [task("web", on="wkr1")])

    def answer(address: ProbeAddress) -> ProbeAnswer:
        return ProbeAnswer(503 if address.node == "wkr2" else 200)

    (one,) = check.port_findings(found, {}, no_rules, answer)
    assert (one.severity, "HTTP 503 (so 1 of 3 addresses)" in one.what) == (Severity.ERROR, True)


@pytest.mark.parametrize("mode", [{"Replicated": {"Replicas": 0}}, {"ReplicatedJob": {}}])
def test_a_service_that_is_not_to_serve_need_not_answer(mode: dict[str, object]) -> None:
    """Broken: one scaled to 0, or a job that has ended, is an error of the network."""
    web = service("web", mode=mode, ports=mesh(80))
    found = swarm([node("mgr1", "manager")], [web], [])
    assert [*check.port_findings(found, {}, OPEN, lambda _: ProbeAnswer())] == []


def test_host_ports_that_the_managers_forgot_are_asked_on_the_nodes() -> None:
    """Broken: after a change of leader every host port is an error."""
    raw = service("web", ports=[{"TargetPort": 80, "Protocol": "tcp", "PublishMode": "host"}])
    found = swarm([node("wkr1")], [raw], [task("web", on="wkr1", id="t1")])

    class Shell:
        def run(self, node: str, script: str, timeout_s: float = 1) -> str:
            return 't1 {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}]}\n'

    asked: list[int] = []

    def answers(address: ProbeAddress) -> ProbeAnswer:
        asked.append(address.port)
        return ProbeAnswer(200)

    known = with_host_ports(found, Shell())
    assert [*check.port_findings(known, {}, OPEN, answers)] == []
    assert asked == [32768]


def test_a_published_port_without_a_running_task_is_an_error() -> None:
    fake = FakeEngine()
    ports = [{"TargetPort": 80, "Protocol": "tcp", "PublishMode": "host"}]
    fake.add("services", service_spec("web", image="bad:1", EndpointSpec={"Ports": ports}))
    (found,) = check.port_findings(fake.snapshot(), {}, no_rules)
    assert "no running task answers" in found.what


def test_with_a_host_only_the_ports_can_be_checked_and_that_is_said() -> None:
    (found,) = check.check_network(Target(()), three_nodes())
    assert (found.severity, "--host was given" in found.what) == (Severity.WARNING, True)


def test_a_machine_that_is_stopped_is_named_and_no_path_to_it_is_tested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Broken: the managers still call it Ready, and the advice is to look at its firewall."""
    asleep = Instance("i-1", "wkr2", "worker", "stopped", "10.42.2.12", "", "a", "admin", "c")
    target = Target((), "c", (asleep,))
    asked: list[str] = []

    def check_paths(_: object, seen: Swarm) -> paths.Paths:
        asked.extend(node.hostname for node in seen.nodes)
        return paths.Paths()

    monkeypatch.setattr(Target, "shell", lambda _: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(check, "with_host_ports", lambda seen, _: seen)
    network = check.check_network(target, three_nodes(), check_paths)
    found = [f for f in network if f.place == "wkr2"]
    assert asked == ["mgr1", "wkr1"]
    assert [(f.severity, f.remedy) for f in found] == [
        (Severity.ERROR, "aws ec2 start-instances --instance-ids i-1")
    ]
    assert "is stopped; the managers have not noticed yet" in found[0].what
