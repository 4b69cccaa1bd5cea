"""Markdown for GitHub, JUnit for CI, JSON for programs; and where the command puts them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from swarmctl.chaos.experiments import Experiments
from swarmctl.chaos.journal.journal import GuardRecord, Journal, Undo, Verdict
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.report import junit, markdown
from swarmctl.chaos.world.live import LiveCluster
from swarmctl.cli import console
from swarmctl.cli.main import main
from swarmctl.cli.show.run import show_run
from swarmctl.errors import SwarmctlError
from tests.unit.chaos import report_runs as runs
from tests.unit.chaos.simulated_cluster import SimulatedCluster
from tests.unit.chaos.stage import Stage, stage


def ended(outcome: str, **changes: object) -> Journal:
    return runs.by_hand(id=f"run-{outcome}", outcome=outcome, ended_s=12.5, **changes)


REFUTED = ended(
    "refuted", verdict=Verdict(False, "REFUTED: it is", reasons=("web 3/4: \x1b[1m<no>",))
)
REFUSED = ended("refused", guards=(GuardRecord("quorum", False, "1 of 3 managers"),))
FAILED = ended("revert-failed", undo=Undo("failed", (), "i-1 is terminated"))
ALL = [ended("held", parameters={"seed": 0}), REFUTED, REFUSED, FAILED, ended("interrupted")]


# -- JUnit ----------------------------------------------------------------------------------------


def suite(text: str) -> ElementTree.Element:
    """The suite, checked against what the usual schema asks for."""
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites"
    (found,) = root
    assert {"name", "timestamp", "hostname", "package", "id", "time"} <= set(found.attrib)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", found.attrib["timestamp"])
    order = [child.tag for child in found]
    cases = found.findall("testcase")
    assert order == ["properties", *["testcase"] * len(cases), "system-out", "system-err"]
    for case in cases:
        assert set(case.attrib) == {"name", "classname", "time"}
        assert len(case) <= 1
        for child in case:
            assert child.tag in ("failure", "error", "skipped")
            assert child.tag == "skipped" or "type" in child.attrib
    for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(found.attrib[count]) == sum(case.find(tag) is not None for case in cases)
    assert int(found.attrib["tests"]) == len(cases)
    return found


def test_every_outcome_is_what_ci_takes_it_for() -> None:
    found = suite(junit.render(ALL, "chaos rolling"))
    kinds = [case[0].tag if len(case) else "passed" for case in found.findall("testcase")]
    assert kinds == ["passed", "failure", "skipped", "error", "error"]
    assert found.attrib["time"] == "62.500"


def test_the_reasons_of_a_refuted_run_are_its_text() -> None:
    failure = suite(junit.render([REFUTED], "x")).find("testcase/failure")
    assert failure is not None
    assert failure.text == "web 3/4: \\x1b[1m<no>"
    assert failure.attrib["message"] == "REFUTED: it is"


def test_what_must_be_known_to_repeat_it_is_in_the_properties() -> None:
    found = suite(junit.render(ALL, "x"))
    properties = {p.attrib["name"]: p.attrib["value"] for p in found.iter("property")}
    assert properties["cluster"] == "swarm_app"
    assert properties["seed"] == "0"
    assert properties["run"].split(", ") == [journal.id for journal in ALL]


def test_no_character_can_break_the_document() -> None:
    evil = "".join(map(chr, range(32))) + "\x7f\ufffe\ud800&<>\"']]>"
    journal = ended("refuted", title=evil, verdict=Verdict(False, evil, reasons=(evil,)))
    text = junit.render([journal], evil, failure=evil)
    suite(text.encode().decode())


# -- Markdown -------------------------------------------------------------------------------------


def tables(text: str) -> None:
    """Every row of a table has as many cells as its head."""
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()}
        assert len(widths) == 1, block


def test_one_run_fits_a_comment(tmp_path: Path) -> None:
    s = runs.node_loss(tmp_path)
    s.lab.prediction = runs.prediction({"wkr1": 9, "wkr3": 1})
    journal = s.experiment.run()
    text = markdown.render([journal])
    tables(text)
    assert text.startswith("### ✅ HELD · instance-stop of wkr2\n")
    assert "not as predicted" in text
    assert "**6 (9)** ❗" in text
    assert "![" not in text
    assert len(text) < 3000
    assert "![Replicas over time](<p.svg>)" in markdown.render([journal], "p.svg")


def test_several_runs_are_a_table_and_folded_below(tmp_path: Path) -> None:
    text = markdown.render([runs.lost_node(tmp_path), REFUTED, REFUSED])
    tables(text)
    assert text.startswith("### 3 chaos runs, 1 held\n")
    assert text.count("<details>") == text.count("</details>") == 3
    assert "<summary>❌ REFUTED · instance-stop of nothing</summary>\n\n" in text


def test_names_are_text_not_markdown() -> None:
    reason = "a|b *c* <d> `e` @all #1\nx"
    text = markdown.render([ended("refuted", verdict=Verdict(False, "no", reasons=(reason,)))])
    assert r"- a\|b \*c\* \<d\> \`e\` \@all \#1 x" in text


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path: Path) -> Runs:
    """Two runs on disk; the newest is refuted."""
    console.out.cache_clear()
    console.err.cache_clear()
    first = runs.lost_node(tmp_path / "runs")
    keep = Runs(tmp_path / "runs")
    for journal in (
        first,
        runs.by_hand(id="20270101-drain", experiment="drain", outcome="refuted"),
    ):
        keep.save(journal)
    return keep


def make(kept: Runs, *words: str) -> int:
    return main(["chaos", "report", "--runs-dir", str(kept.root), *words])


def test_the_newest_run_is_reported_beside_its_journal(
    kept: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make(kept) == 0
    path = kept.report("20270101-drain")
    assert capsys.readouterr().out == f"report: {path}\n"
    assert "REFUTED" in path.read_text()


def test_a_picture_is_written_beside_the_report(kept: Runs, tmp_path: Path) -> None:
    first, out = kept.ids()[0], tmp_path / "out"
    out.mkdir()
    assert make(kept, first, "--format", "markdown", "-o", str(out), "--picture", "svg") == 0
    assert "](<report.svg>)" in (out / "report.md").read_text()
    assert (out / "report.svg").read_text().startswith("<svg")


def test_json_is_for_programs(kept: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    assert make(kept, *kept.ids(), "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)["runs"]
    assert [one["outcome"] for one in found] == ["held", "refuted"]
    assert found[0]["phases"]["t_down"] > 10
    assert found[0]["probed"][0]["sent"] > 100


def test_several_runs_go_to_one_page(kept: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    assert make(kept, *kept.ids()) == 0
    page = kept.root / "report.html"
    assert capsys.readouterr().out == f"report: {page}\n"
    assert "2 chaos runs" in page.read_text()


def test_mistakes_are_2(kept: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make(kept, "20270101-drian") == 2
    assert "did you mean '20270101-drain'?" in capsys.readouterr().err
    assert main(["chaos", "report", "--runs-dir", str(tmp_path / "none")]) == 2
    assert "no run in" in capsys.readouterr().err


# -- chaos run --junit ----------------------------------------------------------------------------


@pytest.fixture
def simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    s = stage(tmp_path / "runs", timeout_s=30)

    cluster = SimulatedCluster(s.lab)
    monkeypatch.setattr(LiveCluster, "find", lambda name, region: cluster)
    monkeypatch.setattr(Experiments, "_experiment", lambda *rest: s.experiment)
    return s


def run(s: Stage, path: Path) -> int:
    words = ["--target", "wkr2", "--runs-dir", str(s.runs.root), "--junit", str(path)]
    return main(["chaos", "run", "instance-stop", *words])


def test_a_run_that_held_passes(simulated: Stage, tmp_path: Path) -> None:
    assert run(simulated, tmp_path / "junit.xml") == 0
    found = suite((tmp_path / "junit.xml").read_text())
    assert [len(case) for case in found.findall("testcase")] == [0]
    assert found.attrib["name"] == "chaos instance-stop"


def test_a_refused_run_is_skipped(simulated: Stage, tmp_path: Path) -> None:
    simulated.lab.set_node("wkr1", "down")
    assert run(simulated, tmp_path / "junit.xml") == 3
    found = suite((tmp_path / "junit.xml").read_text())
    assert found.find("testcase/skipped") is not None


def test_a_command_that_never_came_to_a_run_is_an_error(
    simulated: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*rest: object) -> None:
        raise SwarmctlError("no cluster here")

    monkeypatch.setattr(LiveCluster, "find", nothing)
    assert run(simulated, tmp_path / "junit.xml") == 1
    error = suite((tmp_path / "junit.xml").read_text()).find("testcase/error")
    assert error is not None
    assert error.text == "no cluster here"


def test_a_file_that_cannot_be_written_is_said_before_the_fault(
    simulated: Stage, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert run(simulated, tmp_path / "file" / "junit.xml") == 1
    assert simulated.lab.log == []


# -- what the terminal shows at the end -----------------------------------------------------------


def test_the_end_of_a_run_says_what_was_not_foreseen(
    simulated: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated.lab.prediction = runs.prediction({"wkr1": 9, "wkr3": 1})
    console.out.cache_clear()
    assert run(simulated, tmp_path / "junit.xml") == 0
    shown = capsys.readouterr().out
    assert "placement not as predicted (none of 1 outcome, exhaustive)" in shown
    assert "4 → 6 (9)" in shown
    assert "fault → unreachable +" in shown
    assert "HELD: wkr2 was lost" in shown


def test_what_must_not_be_missed_is_said_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = runs.partitioned(tmp_path)
    journal.guards += (GuardRecord("blast-radius", False, "2 of 3", overridden=True),)
    console.out.cache_clear()
    show_run(journal, tmp_path)
    shown = capsys.readouterr().out
    assert "! guards overridden: blast-radius" in shown
    assert "! Ran twice, on the target and elsewhere: 1 of api, 3 of web" in shown


def test_in_80_columns_the_placement_keeps_its_service_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = runs.lost_node(tmp_path)
    name = "three_tier_a-service-with-a-long-name"
    journal.before[name] = {f"swarm_app_wkr{i}": 2 for i in range(1, 6)}
    journal.probes = ()
    monkeypatch.setenv("COLUMNS", "80")
    console.out.cache_clear()
    show_run(journal, Path("report.html"))
    console.out.cache_clear()
    shown = capsys.readouterr().out
    placement = shown[shown.index("Placement") : shown.index("fault → unreachable")]
    assert all(len(line) <= 80 for line in placement.splitlines())
    for word in (name, "web", *journal.before[name], "→"):
        assert word in placement.split()
