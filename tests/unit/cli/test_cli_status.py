"""``swarmctl status`` as it is seen."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from rich.console import Console

from swarmctl import cluster
from swarmctl.cli import main as cli
from swarmctl.cli.show.network import network_findings
from swarmctl.cli.show.status import status_tables
from swarmctl.network import check
from swarmctl.network.finding import Finding, Severity
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.overview import overview
from tests.unit.engine_json import node, service, swarm, task


def test_the_tables_show_what_runs_where_and_what_is_missing() -> None:
    nodes = [
        node("mgr1", "manager", leader=True),
        node("wkr1", availability="drain"),
        node("wkr2", state="down"),
    ]
    given = [
        {"TargetPort": 80, "PublishedPort": 32768 + i, "PublishMode": "host"} for i in range(5)
    ]
    services = [service("three_tier_web", replicas=3), service("agent", {"Global": {}})]
    tasks = [
        task("three_tier_web", "mgr1", 1, ports=given),
        task("three_tier_web", "mgr1", 2),
        task("three_tier_web", "wkr2", 3),
    ]
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        console.print(status_tables(overview(swarm(nodes, services, tasks)), "10.42.0.4", 120))
    lines = [" ".join(line.split()) for line in captured.get().splitlines()]
    assert lines[0].startswith("not healthy: 2/3 nodes ready, 2/4 tasks running")
    assert "mgr1 manager (leader) ready 10.42.0.4 three_tier_web 2" in lines
    assert "wkr1 worker ready, drained 10.42.0.5" in lines
    assert "wkr2 worker down 10.42.0.5" in lines
    web = next(line for line in lines if line.startswith("three_tier_web 2/3 mgr1 2"))
    assert "mgr1:32768→80, mgr1:32769→80, mgr1:32770→80, 2 more" in web
    assert "three_tier_web: 1 on wkr2, which is down" in lines
    assert "agent: 1 not created yet" in lines


ERROR = Finding("wkr_sg", "closed: 4789/udp", "provision")
WARNING = Finding("web", "may be open to others only", "ask there", Severity.WARNING)


class FakeTarget:
    """A healthy Swarm of one manager, and what the check of its network finds."""

    cluster, instances, address = "shop", (), "10.0.0.1"

    def failover(self) -> FakeTarget:
        return self

    def snapshot(self) -> Swarm:
        return swarm([node("mgr1", "manager", leader=True)], [], [])

    def shell(self) -> FakeTarget | None:
        return None

    def ask(self, question: object) -> SimpleNamespace:
        """The Engine's configs: none."""
        return SimpleNamespace(json=list)

    def __enter__(self) -> FakeTarget:
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize(
    ("words", "findings", "code"),
    [
        ("--check", [ERROR], 0),
        ("--deep", [ERROR], 0),
        ("--check --deep", [ERROR, WARNING], 1),
        ("--check --deep", [WARNING], 0),
        ("--check --deep", [], 0),
    ],
)
def test_check_fails_for_an_error_that_deep_finds(
    words: str, findings: list[Finding], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "resolve", lambda *_: FakeTarget())
    monkeypatch.setattr(check, "check_network", lambda *_: tuple(findings))
    assert cli.main(["status", *words.split()]) == code


def test_deep_prints_each_finding_with_its_remedy_and_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster, "resolve", lambda *_: FakeTarget())
    monkeypatch.setattr(check, "check_network", lambda *_: (ERROR,))
    cli.main(["status", "--deep", "--format", "json"])
    assert json.loads(capsys.readouterr().out)["network"] == [
        {
            "place": "wkr_sg",
            "what": "closed: 4789/udp",
            "remedy": "provision",
            "severity": "error",
        }
    ]
    assert str(network_findings([ERROR])) == "error: wkr_sg: closed: 4789/udp\n  → provision"


class PulledTarget(FakeTarget):
    """A service whose image one of two nodes does not have."""

    def snapshot(self) -> Swarm:
        nodes = [node("mgr1", "manager", leader=True), node("wkr1")]
        return swarm(nodes, [service("web")], [task("web", "mgr1", 1)])

    def shell(self) -> FakeTarget:
        return self

    def run(self, node: str, script: str, timeout_s: float = 20.0) -> str:
        return "httpd:2.4 httpd@<none> sha256:1" if node == "mgr1" else ""

    def close(self) -> None: ...


def test_check_warns_of_images_that_would_have_to_be_pulled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster, "resolve", lambda *_: PulledTarget())
    assert cli.main(["status", "--check"]) == 0
    assert "warning: web: would have to pull httpd:2.4 on wkr1" in capsys.readouterr().out
    assert cli.main(["status", "--check", "--format", "json"]) == 0
    pulls = json.loads(capsys.readouterr().out)["pulls"]
    assert pulls == [{"node": "wkr1", "image": "httpd:2.4", "services": ["web"]}]
    assert cli.main(["status"]) == 0  # the nodes are not asked
    assert "pull" not in capsys.readouterr().out
