"""``swarmctl chaos predict`` on snapshot files: its JSON, its tables, and what bad input gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from swarmctl.cli import main as cli
from tests.unit.scheduler.swarms import big, node, nodes, service, swarm


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """17 replicas on two of four nodes in two zones."""
    machines = [*nodes("a b", labels={"az": "x"}), *nodes("c d", labels={"az": "y"})]
    path = tmp_path / "swarm.json"
    path.write_text(json.dumps(swarm(machines, [(service("web", 17), {"c": 5, "d": 12})])))
    return path


def run(path: Path, *words: str) -> int:
    return cli.main(["chaos", "predict", "--snapshot", str(path), *words])


def as_json(path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run(path, *words, "--format", "json") == 0
    parsed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return parsed


def test_json_lists_every_outcome(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = as_json(saved, capsys, "--lose", "d")
    assert data["exhaustive"] is True
    assert data["outcomes"] == [
        {"counts": {"web": {"a": 3, "b": 7, "c": 7}}, "pending": {}},
        {"counts": {"web": {"a": 7, "b": 3, "c": 7}}, "pending": {}},
    ]
    assert data["reasons"] == {}
    assert [w["kind"] for w in data["warnings"]] == ["uneven"]


def test_nodes_by_name_by_id_and_by_zone(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--lose", "c,d"], ["--lose", "id-d", "--lose", "c"], ["--az", "y"]):
        assert as_json(saved, capsys, *words)["lost"] == ["c", "d"]


def test_the_table_shows_before_and_after(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(saved, "--lose", "d") == 0
    out = capsys.readouterr().out
    assert "when d dies: 12 replicas to replace, 2 possible outcomes" in out
    assert "a 0→3–7, b 0→3–7, c 5→7, d 12→0" in out  # noqa: RUF001


def test_the_table_says_why_a_replica_stays_pending(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "swarm.json"
    pinned = service("db", constraints=["node.hostname == b"])
    path.write_text(json.dumps(swarm(nodes("a b"), [(pinned, {"b": 1})])))
    assert run(path, "--lose", "b") == 0
    assert (
        "✗ db: 1 pending: no suitable node (1 node not available for new tasks; "
        "scheduling constraints not satisfied on 1 node)"
    ) in capsys.readouterr().out


def test_every_node_as_a_table_and_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "swarm.json"
    machines = [node("m", role="manager", leader=True), *nodes("a b")]
    path.write_text(json.dumps(swarm(machines, [(service("web"), {"a": 1})])))
    assert run(path, "--each") == 0
    out = capsys.readouterr().out
    assert "1 of 3 nodes cannot be lost" in out
    assert out.index("no: quorum") < out.index("brief outage")
    data = as_json(path, capsys, "--each")
    assert [entry["node"] for entry in data["nodes"]] == ["m", "a", "b"]
    assert data["nodes"][0]["affordable"] is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--lose", "e"], "unknown node 'e'"),
        (["--az", "z"], "unknown availability zone 'z'"),
        ([], "no node to lose"),
        (["--each", "--lose", "a"], "--each cannot be combined with --lose"),
    ],
)
def test_wrong_words_exit_2_and_name_what_is_right(
    saved: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert run(saved, *words) == 2
    assert message in capsys.readouterr().err


def test_the_nearest_name_is_offered(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = json.loads(saved.read_text())
    raw["nodes"][0]["Description"]["Hostname"] = "swarm_app_wkr1"
    saved.write_text(json.dumps(raw))
    assert run(saved, "--lose", "swarm_app_wrk1") == 2
    assert "did you mean 'swarm_app_wkr1'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "the snapshot: expected an object"),
        ("{}", "nodes: expected a list"),
        ('{"nodes": 3}', "nodes: expected a list"),
        ('{"nodes": [3]}', "nodes[0]: expected an object, found 3"),
        ('{"nodes": [{"ID": "x"}]}', "nodes[0].Spec.Role: expected a text"),
        ('{"nodes": [], "services": [{"ID": "x"}]}', "services[0].Spec: expected an object"),
        ('{"nodes": [', ":1: not JSON"),
        (
            '{"nodes": [], "services": [], "tasks": [{"ID": "t", "Status": {"State": "odd"}}]}',
            "tasks[0].Status.State: expected one of new, pending",
        ),
    ],
)
def test_a_bad_file_is_named_with_the_key_and_what_is_expected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, said: str
) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    assert run(path, "--lose", "a") == 2
    err = capsys.readouterr().err
    assert f"error: {path}" in err
    assert said in err
    assert "swarmctl snapshot -o FILE" in err


def test_a_missing_file_says_how_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "none.json", "--lose", "a") == 2
    assert "make one: swarmctl snapshot -o FILE" in capsys.readouterr().err


def test_a_big_swarm_is_no_trouble(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The real bounds are those of `make bench`; this one only catches a change of order."""
    path = tmp_path / "big.json"
    path.write_text(json.dumps(big(100, 1000, 50)))
    data = as_json(path, capsys, "--lose", "node0050")
    assert data["exhaustive"] is False
    assert len(data["outcomes"]) >= 20
