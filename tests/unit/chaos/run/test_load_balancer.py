"""What users see in front of the load balancer: a probe of a URL beside those of the nodes."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.plan.hypothesis import Hypothesis, Tolerance
from swarmctl.chaos.probes.planned import ServiceProbe, user_probe
from swarmctl.chaos.probes.probe import Client
from swarmctl.chaos.report import html, markdown, report, words
from swarmctl.chaos.report.picture import figure
from swarmctl.chaos.report.picture.canvas import HALF
from swarmctl.errors import RefusedError, UsageError
from swarmctl.swarm.model import Port
from tests.unit.chaos.simulated_swarm import service
from tests.unit.chaos.stage import Stage, stage

URL = "http://10.42.0.9/auth/"


def behind(root: Path, **options: object) -> Stage:
    """Requests through the load balancer are lost for four seconds after the stop."""
    web = service("web", 6, ports=(Port("tcp", 80, 80, "ingress"),))
    options.setdefault("probes", (user_probe(URL),))
    s = stage(root, services=[web], **options)  # type: ignore[arg-type]  # its own options
    stopped: list[float] = []
    s.lab.hooks["stop"] = lambda: stopped.append(s.clock.now())
    s.prober.silent = lambda e: (
        e.client is Client.LOAD_BALANCER and bool(stopped) and s.clock.now() < stopped[0] + 4
    )
    return s


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return behind(tmp_path).experiment.run()


def test_what_users_lose_is_counted_beside_the_probes_of_the_nodes(journal: Journal) -> None:
    assert journal.outcome == "held"
    assert sum(probe.lost for probe in journal.probes) == 0
    assert {probe.service for probe in journal.probes} == {"web"}
    (users,) = journal.load_balancer
    assert users.service == URL
    assert 0 < users.lost < users.sent == len(journal.load_balancer_log)
    loss = f"; through the load balancer: {users.lost} of {users.sent} lost; clients of every node"
    assert loss in words.result(journal)


def test_it_answers_again_before_the_verdict_says_held(tmp_path: Path) -> None:
    """Broken: HELD though no user gets an answer."""
    s = behind(tmp_path)
    s.prober.silent = lambda e: e.client is Client.LOAD_BALANCER and "stop wkr2" in s.lab.log
    journal = s.experiment.run()
    assert journal.outcome == "refuted"
    assert journal.verdict is not None
    assert f"{URL}: connection refused" in journal.verdict.sentence


def test_it_must_answer_before_the_fault(tmp_path: Path) -> None:
    s = behind(tmp_path)
    s.prober.silent = lambda e: e.client is Client.LOAD_BALANCER
    with pytest.raises(RefusedError, match="probes-answer"):
        s.experiment.run()
    assert "stop wkr2" not in s.lab.log


def test_ports_that_only_the_load_balancer_reaches_refuse_no_run(tmp_path: Path) -> None:
    """Broken: behind a load balancer every run is refused, because the nodes are closed to us."""
    s = behind(tmp_path, probes=(user_probe(URL, "web (load balancer)"),), balanced=("web",))
    s.prober.silent = lambda e: e.client is not Client.LOAD_BALANCER
    journal = s.experiment.run()
    assert journal.outcome == "held"
    assert journal.load_balancer[0].lost == 0
    assert journal.probes == ()  # what was tried before is no loss
    assert any("only the load balancer reaches them there: web" in x for x in s.progress.lines)


def test_a_named_service_is_not_left_out(tmp_path: Path) -> None:
    """Broken: HELD, though the service that the user named was never probed."""
    probes = (ServiceProbe("web"), user_probe(URL, "web (load balancer)"))
    s = behind(tmp_path, probes=probes, balanced=("web",))
    s.prober.silent = lambda e: e.client is not Client.LOAD_BALANCER
    with pytest.raises(RefusedError, match="probes-answer"):
        s.experiment.run()


def test_a_service_that_answers_503_on_its_nodes_is_not_closed(tmp_path: Path) -> None:
    s = behind(tmp_path, probes=(user_probe(URL, "web (load balancer)"),))
    s.prober.silent = s.prober.bad_status = lambda e: e.client is not Client.LOAD_BALANCER
    with pytest.raises(RefusedError, match="probes-answer"):
        s.experiment.run()


def test_a_limit_for_what_is_not_probed_is_a_mistake(tmp_path: Path) -> None:
    """Broken: HELD, though not one of the limited probes was sent."""
    probes, web = (user_probe(URL, "web (load balancer)"),), {"web": Tolerance(success=1.0)}
    asked = (
        (Hypothesis(tolerances=web), probes, "for what is not probed: web"),
        (Hypothesis(tolerances={"*": Tolerance(success=1.0)}), (), r"is not probed: \*"),
        (Hypothesis(every_node_success=1.0), probes, "every-node-success needs"),
    )
    for number, (hypothesis, sent, text) in enumerate(asked):
        root = tmp_path / str(number)
        s = behind(root, probes=sent, balanced=("web",), hypothesis=hypothesis)
        with pytest.raises(UsageError, match=text):
            s.experiment.run()
        assert "stop wkr2" not in s.lab.log


def test_a_hypothesis_can_limit_what_users_lose(tmp_path: Path) -> None:
    strict = Hypothesis(tolerances={URL: Tolerance(success=1.0)})
    journal = behind(tmp_path, hypothesis=strict).experiment.run()
    assert journal.outcome == "refuted"
    assert journal.verdict is not None
    assert URL in journal.verdict.sentence


def test_every_report_has_it(journal: Journal, tmp_path: Path) -> None:
    (users,) = journal.load_balancer
    line = f"through the load balancer: {users.lost} of {users.sent} lost"
    assert line in html.page([journal])
    assert "Through the load balancer" in html.page([journal])
    assert f"load balancer: {users.lost} of {users.sent}" in markdown.render([journal])
    assert "| load balancer | sent |" in markdown.render([journal])
    (plain,) = json.loads(report._text([journal], "json", ""))["runs"]
    assert plain["load_balancer"] == [json.loads(json.dumps(asdict(users)))]


def test_the_picture_has_a_line_of_its_own_for_it(journal: Journal, tmp_path: Path) -> None:
    """Broken: what users lost looks like what the nodes lost."""
    (users,) = journal.load_balancer
    for drawn in (figure.draw(journal), figure.draw(journal, inches=HALF)):
        assert f"through the load balancer: {users.lost} of {users.sent} lost" in drawn
        assert "to the nodes: 0 of" in drawn
    without = behind(tmp_path / "b", probes=()).experiment.run()
    assert "load balancer" not in figure.draw(without)


def test_the_picture_of_a_run_without_direct_probes_counts_those_that_were_sent(
    journal: Journal,
) -> None:
    """Broken: "0 answered, 0 lost" stands above a thousand probes."""
    (users,) = journal.load_balancer
    drawn = figure.draw(replace(journal, probe_log=()))
    assert f"Probes: {users.sent - users.lost} answered, {users.lost} lost" in drawn
    assert "to the nodes" not in drawn
