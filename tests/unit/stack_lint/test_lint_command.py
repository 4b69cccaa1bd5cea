"""``swarmctl stack lint`` as a user meets it: formats, exit codes, patches, templates, speed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from swarmctl.cli.main import main
from swarmctl.stack.lint import engine, source
from tests.unit.stack_lint.lint_corpus import CORPUS, found, lint, samples

TUTORIAL = CORPUS / "tutorial.yml"


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main(["stack", "lint", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    path = tmp_path / "docker-stack.yml"
    path.write_bytes(TUTORIAL.read_bytes())
    return path


def test_each_finding_is_a_line_with_file_line_column_severity_and_rule(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = run(capsys, TUTORIAL)
    assert code == 1
    line = TUTORIAL.read_text().splitlines().index("    driver: bridge  # expect: SW011") + 1
    assert f"{TUTORIAL}:{line}:5: error SW011 the network 'frontend' is local" in out
    assert "1 file: 2 errors" in err


def test_warnings_fail_with_strict_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, CORPUS / "port_address.yml")[0] == 0
    assert run(capsys, CORPUS / "port_address.yml", "--strict")[0] == 1
    assert run(capsys, CORPUS / "clean.yml", "--strict")[0] == 0


@pytest.mark.parametrize(
    "words", [["nothing.yml"], ["no/such/folder"], [], ["--write", str(TUTORIAL)], ["tests"]]
)
def test_what_cannot_be_linted_exits_2(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    code, _, err = run(capsys, *words)
    assert code == 2
    assert "error: " in err


def test_json_says_for_each_file_whether_docker_takes_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, out, _ = run(capsys, TUTORIAL, CORPUS / "tab.yml", "--format", "json")
    document = json.loads(out)
    assert [file["accepted"] for file in document["files"]] == [True, False]
    assert "28.2.2" in document["schema"]
    finding = document["files"][1]["findings"][0]
    assert (finding["rule"], finding["line"], finding["severity"]) == ("SW001", 5, "error")


def test_sarif_names_every_rule_and_places_every_result(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, TUTORIAL, "--format", "sarif")
    (sarif_run,) = json.loads(out)["runs"]
    rules = sarif_run["tool"]["driver"]["rules"]
    for result in sarif_run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == TUTORIAL.as_uri()
        assert place["region"]["startLine"] >= 1


def test_github_commands_are_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a,b.yml"
    path.write_text("services: {a: {image: '100%'}}\n")
    _, out, _ = run(capsys, path, "--format", "github")
    assert "a%2Cb.yml" in out
    assert "100%25" in out


def test_fix_shows_a_patch_that_fixes_networks_version_and_ports_and_nothing_else(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = copy.read_bytes()
    _, patch, _ = run(capsys, copy, "--fix")
    changed = [line for line in patch.splitlines() if line[:1] in "+-" and line[:3] not in "+++---"]
    assert changed == [
        '-version: "3.3"  # expect: SW024',
        "-      - 22:22  # expect: SW070",
        '+      - "22:22"  # expect: SW070',
        "-    driver: bridge  # expect: SW011",
        "+    driver: overlay  # expect: SW011",
        "-    driver: bridge  # expect: SW011",
        "+    driver: overlay  # expect: SW011",
    ]
    assert copy.read_bytes() == before


def test_the_patch_applies_and_equals_what_write_does(
    copy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(copy.parent)
    _, patch, _ = run(capsys, copy.name, "--fix")
    other = copy.with_name("patched.yml")
    other.write_bytes(copy.read_bytes())
    subprocess.run(["git", "apply", "-p1", "-"], input=patch.encode(), check=True)
    patched = copy.read_bytes()
    copy.write_bytes(other.read_bytes())
    code, _, _ = run(capsys, copy.name, "--fix", "--write")
    assert copy.read_bytes() == patched
    assert code == 0  # no error is left
    assert run(capsys, copy.name, "--fix")[1] == ""


def test_fixes_keep_line_ends_and_byte_order_mark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "dos.yml"
    text = "services: {a: {image: 'a:1', networks: [n]}}\r\nnetworks:\r\n  n: {driver: %s}\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + (text % "bridge").encode())
    run(capsys, path, "--fix", "--write")
    assert path.read_bytes() == b"\xef\xbb\xbf" + (text % "overlay").encode()


def test_files_linted_together_are_told_of_the_port_they_share(tmp_path: Path) -> None:
    for name in ("a", "b"):
        text = f"services: {{{name}: {{image: 'x:1', ports: ['80:80']}}}}\n"
        (tmp_path / f"{name}.yml").write_text(text)
    sources = [source.find(str(tmp_path / f"{name}.yml")) for name in ("a", "b")]
    reports = engine.lint(sources, {})
    assert all(("SW016", 1) in found(report) for report in reports)
    assert ("SW016", 1) not in found(engine.lint(sources[:1], {})[0])


def test_a_stack_is_rendered_and_findings_are_placed_in_its_template(tmp_path: Path) -> None:
    stack = tmp_path / "shop"
    stack.mkdir()
    (stack / "values.yml").write_text("driver: bridge\nports: [1, 2, 3]\n")
    (stack / "docker-compose.yml.j2").write_text(
        "services:\n  a:\n    image: a:1\n    networks: [n]\n    ports:\n"
        "{% for port in ports %}\n      - {{ port }}\n{% endfor %}\n"
        "networks:\n  n:\n    driver: {{ driver }}\n"
    )
    report = engine.lint([source.find(str(stack))], {})[0]
    assert report.source.label.endswith("docker-compose.yml.j2")
    assert ("SW011", 11) in found(report)


def test_the_stacks_of_this_repository_have_no_finding_except_the_database_that_is_pinned() -> None:
    one_replica_beside_its_data = {"SW031", "SW042"}
    for report in engine.lint([source.find("three_tier"), source.find("microservices")], {}):
        assert report.accepted
        assert {f.rule.id for f in report.findings} <= one_replica_beside_its_data


def test_the_rules_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--rules")
    assert code == 0
    assert "SW030  warning" in out


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"nodes": [{}]}', '{"nodes": 5}', '{"services": [{"ID": "a"}]}', "\x00"],
)
def test_a_bad_snapshot_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = tmp_path / "swarm.json"
    path.write_text(text)
    assert run(capsys, TUTORIAL, "--snapshot", path)[0] == 2


def test_a_live_swarm_is_asked_for_what_a_snapshot_holds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = json.loads((CORPUS / "swarm.json").read_text())

    class Manager:
        def raw_snapshot(self) -> dict[str, Any]:
            return {key: raw[key] for key in ("nodes", "services", "tasks")}

    class Target:
        @contextmanager
        def connect(self) -> Iterator[Manager]:
            yield Manager()

    monkeypatch.setattr("swarmctl.cluster.resolve", lambda cluster, host: Target())
    _, out, _ = run(capsys, CORPUS / "swarm_constraints.yml", "--host", "ssh://admin@10.42.0.4")
    assert "none of 4 nodes meets 'node.hostname == wrk1'; did you mean 'wkr1'?" in out


def test_every_file_of_the_corpus_passes_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    paths = [sample.path for sample in samples()]
    for name in ("text", "json", "sarif", "github"):
        assert run(capsys, *paths, "--format", name, "--snapshot", CORPUS / "swarm.json")[0] == 1


def test_500_lines_are_linted_in_less_than_half_a_second_imports_included(tmp_path: Path) -> None:
    service = (CORPUS / "clean.yml").read_text().split("services:\n")[1].split("networks:\n  f")[0]
    many = "".join(service.replace("  web:", f"  web{n}:", 1) for n in range(14))
    path = tmp_path / "big.yml"
    path.write_text("services:\n" + many + "networks: {front: {}}\n")
    assert len(path.read_text().splitlines()) >= 500
    program = (
        "import os, sys; from swarmctl.stack.lint import engine, source; "
        "print(len(engine.lint([source.find(sys.argv[1])], os.environ)[0].findings) > 0)"
    )
    best = min(_processor_time([sys.executable, "-c", program, str(path)]) for _ in range(3))
    assert best < 0.5


def _processor_time(command: list[str]) -> float:
    """Of a child process: the clock on the wall belongs to whoever else runs on this machine."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return min(used, time.monotonic() - started)


def test_the_tutorials_file_has_each_of_its_faults_named() -> None:
    rules = {rule for rule, _ in found(lint(TUTORIAL))}
    assert {"SW011", "SW024", "SW030", "SW043", "SW060", "SW061"} <= rules
