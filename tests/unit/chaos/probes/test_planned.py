"""The probes of a plan: which services, and what they mean for a verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from swarmctl.chaos.plan.hypothesis import Hypothesis, Tolerance
from swarmctl.chaos.probes.command import Command
from swarmctl.chaos.probes.http import Http
from swarmctl.chaos.probes.planned import (
    FixedProbe,
    PlannedProbe,
    ServiceProbe,
    by_service,
    fixed_endpoints,
)
from swarmctl.chaos.probes.probe import Endpoint
from swarmctl.chaos.probes.published import ServiceEndpoints, probed_services
from swarmctl.chaos.probes.tcp import Tcp
from swarmctl.errors import RefusedError, UsageError
from swarmctl.swarm.model import Port, Swarm
from tests.unit.chaos.simulated_swarm import node, service
from tests.unit.chaos.stage import Stage, stage


def _published(name: str) -> Port:
    return Port("tcp", 80, {"web": 8080, "shop": 8081}[name], "ingress")


def _swarm() -> Swarm:
    web, shop = (
        service(
            name,
            2,
            ports=(_published(name),),
            labels={"com.docker.stack.namespace": "app", "swarmctl.probe.path": "label"},
        )
        for name in ("web", "shop")
    )
    return Swarm((node("mgr1", "manager"), node("wkr1")), (web, shop, service("db", 1)), ())


def test_services_that_are_listed_are_the_only_ones_that_are_asked() -> None:
    def names(*listed: PlannedProbe) -> list[str]:
        return [s.name for s in probed_services(_swarm(), None, listed)]

    tcp = FixedProbe("x", Tcp("h", 1))
    hidden = [s.name for s in probed_services(_swarm(), None, (tcp,), balanced=("web",))]
    assert hidden == ["shop"]
    assert [s.name for s in probed_services(_swarm(), "web", (), balanced=("web",))] == ["web"]
    assert names(tcp) == ["web", "shop"]
    assert names(tcp, ServiceProbe("shop")) == ["shop"]
    assert names(ServiceProbe("*")) == ["web", "shop"]
    assert probed_services(_swarm(), "none", (tcp,)) == ()
    with pytest.raises(UsageError, match="unknown service 'shpo'"):
        names(ServiceProbe("shpo"))
    with pytest.raises(UsageError, match="publishes no TCP port"):
        names(ServiceProbe("db"))
    with pytest.raises(UsageError, match="the probe web has the name of a service"):
        names(FixedProbe("web", Tcp("h", 1)))


def test_path_and_status_of_a_file_win_over_the_label() -> None:
    swarm = _swarm()
    listed = (ServiceProbe("web", "/api", (200,)), FixedProbe("x", Tcp("h", 1)))
    places = ServiceEndpoints(
        swarm.services[:2],
        {},
        (),
        planned=by_service(listed),
        fixed=fixed_endpoints(listed),
    ).current(swarm)
    assert {p.probe for p in places["web"]} == {
        Http(f"http://10.42.{net}.11:8080/api", (200,)) for net in (1, 2)
    }
    assert {p.probe for p in places["shop"]} == {
        Http(f"http://10.42.{net}.11:8081/label") for net in (1, 2)
    }
    assert [p.address for p in places["x"]] == ["tcp://h:1"]


# -- in an experiment ------------------------------------------------------------------------------

DB = FixedProbe("database", Tcp("10.0.0.9", 5432))


def _stage(root: Path, *listed: PlannedProbe, hypothesis: Hypothesis | None = None) -> Stage:
    return stage(root, probes=listed, hypothesis=hypothesis or Hypothesis(within_s=60.0))


def test_a_probe_that_never_fails_holds(tmp_path: Path) -> None:
    s = _stage(tmp_path, DB, hypothesis=Hypothesis(60, tolerances={"database": Tolerance(1.0, 0)}))
    journal = s.experiment.run()
    assert journal.outcome == "held"
    (summary,) = journal.probes
    assert (summary.service, summary.lost, summary.endpoints) == (
        "database",
        0,
        ("tcp://10.0.0.9:5432",),
    )
    assert {(p.service, p.node) for p in journal.probe_log} == {("database", "")}


def test_a_probe_that_does_not_answer_before_the_fault_refuses(tmp_path: Path) -> None:
    s = _stage(tmp_path, DB)
    s.prober.silent = lambda endpoint: True
    with pytest.raises(RefusedError, match=r"database \(tcp://10.0.0.9:5432\): connection refused"):
        s.experiment.run()
    assert not any(line.startswith("stop") for line in s.lab.log)


def test_a_slow_probe_gets_its_time_before_the_fault(tmp_path: Path) -> None:
    slow = replace(DB, every_s=20.0, timeout_s=5.0)
    s = _stage(tmp_path, slow)
    s.prober.silent = lambda endpoint: s.clock.now() < 15
    assert s.experiment.run().outcome == "held"


def test_a_probe_that_stays_silent_after_the_fault_refutes(tmp_path: Path) -> None:
    s = _stage(tmp_path, DB)
    s.prober.silent = lambda endpoint: bool(s.lab.log)
    journal = s.experiment.run()
    assert journal.outcome == "refuted"
    assert journal.verdict
    assert "database (tcp://10.0.0.9:5432): connection refused" in journal.verdict.sentence


def _lost_for(s: Stage, seconds: float) -> None:
    """The places are silent for so long after the fault."""

    def silent(endpoint: Endpoint) -> bool:
        fault = s.experiment.journal.moment("fault")
        return fault is not None and fault + 1 <= s.clock.now() < fault + 1 + seconds

    s.prober.silent = silent


@pytest.mark.parametrize(
    ("tolerance", "text"),
    [
        (Tolerance(success=1.0), "probes succeeded, minimum: 100.00%"),
        (Tolerance(longest_outage_s=3.0), "database: an outage of 5"),
    ],
)
def test_a_probe_that_failed_more_than_it_may_refutes(
    tmp_path: Path, tolerance: Tolerance, text: str
) -> None:
    s = _stage(tmp_path, DB, hypothesis=Hypothesis(60, tolerances={"database": tolerance}))
    _lost_for(s, 5.0)
    journal = s.experiment.run()
    assert journal.outcome == "refuted"
    assert journal.verdict
    assert any("database" in reason and text in reason for reason in journal.verdict.reasons)


def test_probes_without_an_answer_yet_count_in_the_verdict(tmp_path: Path) -> None:
    """Broken: a run holds although probes sent into a black hole before its verdict are lost."""
    tolerances = {"database": Tolerance(success=1.0)}
    slow = replace(DB, timeout_s=6.0)
    s = _stage(tmp_path, slow, hypothesis=Hypothesis(60, tolerances=tolerances))
    s.prober.timeout_s = 6.0

    def silent(endpoint: Endpoint) -> bool:  # for 3 s, and over right before the verdict
        fault = s.experiment.journal.moment("fault")
        return fault is not None and fault + 16 <= s.clock.now() < fault + 19

    s.prober.silent = silent
    journal = s.experiment.run()
    assert journal.outcome == "refuted"
    assert journal.verdict
    assert any("database" in reason for reason in journal.verdict.reasons)


def test_a_probe_that_failed_within_its_tolerance_holds(tmp_path: Path) -> None:
    tolerances = {"database": Tolerance(0.5, 8.0)}
    s = _stage(tmp_path, DB, hypothesis=Hypothesis(60, tolerances=tolerances))
    _lost_for(s, 5.0)
    assert s.experiment.run().outcome == "held"


def test_a_share_of_the_wanted_replicas_becomes_a_number_when_the_run_begins(
    tmp_path: Path,
) -> None:
    s = _stage(tmp_path, hypothesis=Hypothesis(60, never_below_share={"web": 0.75, "db": 0}))
    journal = s.experiment.run()
    assert "web never has less than 8; db never has less than 0" in journal.hypothesis
    assert journal.outcome == "refuted"  # three of ten are lost
    assert journal.verdict
    assert any("minimum: 8" in reason for reason in journal.verdict.reasons)


def test_a_share_that_is_kept_holds(tmp_path: Path) -> None:
    s = _stage(tmp_path, hypothesis=Hypothesis(60, never_below_share={"web": 0.5}))
    assert s.experiment.run().outcome == "held"


@pytest.mark.parametrize(
    ("hypothesis", "text"),
    [
        (Hypothesis(never_below={"wbe": 1}), "unknown service 'wbe'"),
        (Hypothesis(never_below_share={"wbe": 0.5}), "unknown service 'wbe'"),
        (Hypothesis(never_below={"web": 11}), "web is never to have less than 11 replicas, but"),
    ],
)
def test_a_floor_that_cannot_hold_is_refused_before_the_fault(
    tmp_path: Path, hypothesis: Hypothesis, text: str
) -> None:
    s = _stage(tmp_path, hypothesis=hypothesis)
    with pytest.raises(UsageError, match=text):
        s.experiment.run()
    assert not any(line.startswith(("stop", "pull")) for line in s.lab.log)


def test_half_of_three_is_two() -> None:
    found = Hypothesis(never_below_share={"web": 0.5, "api": 0.3}).resolved({"web": 3, "api": 10})
    assert found.never_below == {"web": 2, "api": 3}
    assert found.never_below_share == {}


def test_the_journal_knows_no_arguments_of_a_command(tmp_path: Path) -> None:
    secret = FixedProbe("script", Command(("curl", "-u", "me:hush-hush")))
    s = _stage(tmp_path, secret)
    journal = s.experiment.run()
    text = (s.runs.directory(journal.id) / "journal.json").read_text()
    assert "command curl" in text
    assert "hush-hush" not in text
