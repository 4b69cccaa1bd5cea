"""What clients see: of the nodes that are left, of every node, and when nothing else is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmctl.chaos.journal.journal import Journal, ProbeSummary, Sample
from swarmctl.chaos.plan.hypothesis import Hypothesis
from swarmctl.chaos.report import timeline, words
from swarmctl.chaos.run.judging.reasons import ProbesLost
from swarmctl.chaos.run.judging.tolerance import broken
from swarmctl.errors import RefusedError, UsageError
from swarmctl.swarm.model import Port
from tests.unit.chaos.simulated_swarm import DETECT_S, service
from tests.unit.chaos.stage import Stage, stage

MESH = Port("tcp", 80, 80, "ingress")


def on_mesh(root: Path, **options: object) -> Stage:
    """wkr2 stops answering as soon as it is stopped."""
    web = service("web", 6, ports=(MESH,))
    s = stage(root, services=[web], **options)  # type: ignore[arg-type]  # its own options
    s.prober.silent = lambda e: e.node == "wkr2" and "stop wkr2" in s.lab.log
    return s


def at(journal: Journal, since_fault: float) -> Sample:
    """The newest sample at a moment."""
    fault = journal.moment("fault") or 0.0
    return [s for s in journal.samples if s.at_s <= fault + since_fault][-1]


# -- clients of every node ------------------------------------------------------------------------


def test_clients_of_every_node_are_counted_beside_those_of_the_nodes_that_are_left(
    tmp_path: Path,
) -> None:
    journal = on_mesh(tmp_path).experiment.run()
    assert journal.outcome == "held"
    assert sum(probe.lost for probe in journal.probes) == 0
    (every,) = journal.every_node
    assert every.service == "web"
    assert 0 < every.lost == every.sent / 4  # one of four nodes is gone
    text = words.result(journal)
    assert f"; 0 of {journal.probes[0].sent} probes lost; clients of every node: " in text
    assert text.endswith(f"clients of every node: {every.lost} of {every.sent} lost")


def test_clients_of_every_node_are_counted_from_the_fault_to_the_revert(tmp_path: Path) -> None:
    journal = on_mesh(tmp_path).experiment.run()
    sent = [probe.at_s for probe in journal.every_node_log]
    assert min(sent) >= (journal.moment("fault") or 0.0)
    assert max(sent) <= (journal.moment("revert") or 0.0)
    assert {probe.node for probe in journal.every_node_log} == {"mgr1", "wkr1", "wkr2", "wkr3"}


def test_a_hypothesis_can_ask_for_the_clients_of_every_node(tmp_path: Path) -> None:
    s = on_mesh(tmp_path, hypothesis=Hypothesis(every_node_success=0.9))
    journal = s.experiment.run()
    assert journal.outcome == "refuted"
    assert journal.verdict is not None
    assert "clients of every node: 75.00% of" in journal.verdict.sentence
    enough = on_mesh(tmp_path / "b", hypothesis=Hypothesis(every_node_success=0.7))
    assert enough.experiment.run().outcome == "held"


def test_where_no_node_is_lost_every_client_uses_every_node() -> None:
    probe = ProbeSummary("web", sent=100, lost=20, longest_outage_s=1, median_ms=1, p99_ms=1)
    asked = Hypothesis(every_node_success=0.9)
    assert broken(asked, 0.0, (), (probe,)) == (ProbesLost("clients of every node", 0.8, 100, 0.9),)
    assert broken(Hypothesis(every_node_success=0.8), 0.0, (), (probe,)) == ()


def test_asking_for_clients_that_are_not_probed_is_a_mistake(tmp_path: Path) -> None:
    s = stage(tmp_path, hypothesis=Hypothesis(every_node_success=0.9))
    with pytest.raises(UsageError, match="every-node-success needs a published service"):
        s.experiment.run()


def test_after_the_fault_only_the_nodes_that_are_left_are_probed(tmp_path: Path) -> None:
    journal = on_mesh(tmp_path).experiment.run()
    fault = journal.moment("fault") or 0.0
    after = {probe.node for probe in journal.probe_log if probe.at_s > fault}
    assert after == {"mgr1", "wkr1", "wkr3"}
    assert {probe.node for probe in journal.probe_log} == {"mgr1", "wkr1", "wkr2", "wkr3"}


# -- every replica is on the targets --------------------------------------------------------------


def all_on_the_target(root: Path) -> Stage:
    """Two replicas with host ports, both on wkr2."""
    web = service("web", 2, ports=(Port("tcp", 80, 0, "host"),))
    s = stage(root, services=[web], pinned={"web": "wkr2"})
    s.lab.answers["docker inspect"] = (
        'web.1.old {"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"32768"}]}\n'
        'web.2.old {"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"32769"}]}\n'
    )
    return s


def test_a_service_with_every_replica_on_the_targets_is_run_and_an_outage_expected(
    tmp_path: Path,
) -> None:
    s = all_on_the_target(tmp_path)
    s.prober.silent = lambda e: "stop wkr2" in s.lab.log
    journal = s.experiment.run()
    assert "stop wkr2" in s.lab.log
    assert any(
        "every replica of web is on the targets: an outage is expected" in line
        for line in s.progress.lines
    )
    assert journal.outcome == "refuted"  # it is pinned there
    # Nothing is left to ask, so clients go on asking where it was: that is no loss of 0.
    assert journal.probes[0].lost > 10
    assert journal.probes[0].longest_outage_s > 10


def test_an_error_status_is_no_closed_port(tmp_path: Path) -> None:
    s = on_mesh(tmp_path)
    s.prober.silent = lambda e: e.node == "wkr1"
    s.prober.bad_status = lambda e: True
    with pytest.raises(RefusedError, match="probes-answer") as caught:
        s.experiment.run()
    assert "web on wkr1 (http://10.42.2.11:80/) answers, but with HTTP 503" in caught.value.message
    assert "docker service logs" in caught.value.hint
    assert "security group" not in caught.value.hint


def test_a_port_that_does_not_answer_may_be_closed(tmp_path: Path) -> None:
    s = on_mesh(tmp_path)
    s.prober.silent = lambda e: e.node == "wkr1"
    with pytest.raises(RefusedError) as caught:
        s.experiment.run()
    assert "security group" in caught.value.hint
    assert "docker service logs" not in caught.value.hint


# -- replicas of a machine that does not answer ---------------------------------------------------


def test_replicas_of_a_dead_machine_do_not_serve_before_the_managers_notice(
    tmp_path: Path,
) -> None:
    journal = stage(tmp_path).experiment.run()
    gone = journal.phases["t_unreachable"] or 0.0
    assert gone < DETECT_S - 1
    before, after = at(journal, gone - 0.01), at(journal, gone + 0.01)
    assert sum(before.services.values()) == 15
    assert sum(after.services.values()) == 10
    assert (before.nodes["wkr2"], after.nodes["wkr2"]) == (5, 0)
    assert after.states["wkr2"] == "ready"  # that is what the managers say


def test_the_timeline_says_that_its_replicas_stop_serving(tmp_path: Path) -> None:
    journal = stage(tmp_path).experiment.run()
    (row,) = [row for row in timeline.rows(journal) if row.kind == "unreachable"]
    assert row.what == "wkr2 does not answer any more: 5 replicas there stop serving"


def test_what_is_shown_meanwhile_leaves_them_out(tmp_path: Path) -> None:
    s = stage(tmp_path)
    shown: list[str] = []
    s.progress.status = shown.append  # type: ignore[method-assign,assignment]  # kept
    s.experiment.run()
    meanwhile = [line for line in shown if line.startswith("+8.")]
    assert meanwhile
    assert all("web 7/10" in line for line in meanwhile)


def test_replacements_on_a_machine_that_came_back_count(tmp_path: Path) -> None:
    journal = stage(tmp_path).experiment.run()
    assert sum(journal.samples[-1].services.values()) == 15
