"""``swarmctl stack lint -c a.yml -c b.yml``: several files are judged as one stack."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from swarmctl.cli.main import main
from swarmctl.stack.lint import engine, source
from swarmctl.stack.lint.formats import FORMATS
from tests.unit.stack_lint.lint_corpus import (
    CORPUS,
    docker_accepts,
    docker_has_stack_config,
    found,
)
from tests.unit.stack_lint.random_files import SEEDS, generated, mutated

BASE = "services:\n  web:\n    image: web:1\n    ports: ['80:80']\n    env_file: [web.env]\n"


def write(folder: Path, *texts: str | bytes) -> list[Path]:
    (folder / "web.env").write_text("A=b\n")
    paths = [folder / f"{number}" / "stack.yml" for number in range(len(texts))]
    paths[0] = folder / "stack.yml"  # files are looked up beside the first one
    for path, text in zip(paths, texts, strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return paths


def lint(folder: Path, *texts: str | bytes) -> list[engine.Report]:
    return engine.lint_stacks([[source.find(str(p)) for p in write(folder, *texts)]], {})


def test_an_override_without_an_image_gets_it_from_the_base(tmp_path: Path) -> None:
    override = "services:\n  web:\n    deploy: {replicas: 2}\n    env_file: [web.env]\n"
    both = lint(tmp_path, BASE, override)
    assert [report.accepted for report in both] == [True, True]
    assert not {rule for report in both for rule, _ in found(report)} & {"SW005", "SW007", "SW042"}
    alone = engine.lint([both[1].source], {})
    assert ("SW007", 2) in found(alone[0])


def test_a_finding_is_placed_in_the_file_and_line_of_its_value(tmp_path: Path) -> None:
    override = (
        "# swarmctl: disable=SW044\n"
        "services:\n  web:\n    image: web:latest\n    ports:\n      - 22:22\n"
        "    networks: [n]\n    environment:\n      PASSWORD: $$x1y2z3\n"
        "networks:\n  n:\n    driver: bridge\n"
    )
    base, over = map(found, lint(tmp_path, BASE, override))
    assert {("SW060", 4), ("SW070", 6), ("SW061", 9), ("SW011", 12)} <= over
    assert {rule for rule, _ in base}.isdisjoint({"SW060", "SW070", "SW061", "SW011"})
    assert ("SW044", 2) in base  # a comment disables a rule in its own file only


@pytest.mark.parametrize(
    "texts",
    [
        (BASE, "services: {web: {tty: true}}"),
        ("version: '3.8'\n" + BASE, "version: '3.9'\nservices: {}"),
        ("version: '3.8'\n" + BASE, "services: {}"),
        ("version: '3'\n" + BASE, "version: '3.13'\nservices: {}"),
        (BASE, "services: {web: {unknown: 1}}"),
        ("services: {web: {unknown: 1}}", BASE),
        (BASE, "services: {web: {env_file: nothing.env}}"),
        (BASE, "a: ["),
        (BASE, "services: {b: {}}", "services: {b: {image: c}}"),
        (BASE, "services: {b: {networks: [x]}}"),
    ],
)
def test_docker_accepts_the_same_files(tmp_path: Path, texts: tuple[str, ...]) -> None:
    if not docker_has_stack_config():
        pytest.skip("there is no docker CLI with `stack config` (25.0 or newer)")
    accepted = {report.accepted for report in lint(tmp_path, *texts)}
    assert accepted == {docker_accepts(*write(tmp_path, *texts))}


def test_files_of_different_versions_are_refused_at_the_version(tmp_path: Path) -> None:
    first, second = lint(tmp_path, BASE, "version: '3.8'\nservices: {}\n")
    assert ("SW002", 1) in found(second)
    assert not second.accepted
    assert "SW002" not in {rule for rule, _ in found(first)}


def test_a_file_that_is_not_yaml_is_reported_and_no_rule_is_run(tmp_path: Path) -> None:
    first, second = lint(tmp_path, "services: {web: {deploy: {}}}\n", "a: [\n")
    assert not found(first)
    assert {rule for rule, _ in found(second)} == {"SW001"}
    assert not first.accepted


def test_random_files_are_merged_and_reported_without_a_crash(tmp_path: Path) -> None:
    dice = random.Random(1)
    for _ in range(60):
        texts = [
            mutated(dice.choice(SEEDS), dice) if dice.random() < 0.5 else generated(dice)
            for _ in range(2)
        ]
        reports = lint(tmp_path, *texts)
        for written in FORMATS.values():
            written(reports)


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main(["stack", "lint", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_each_file_is_in_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, override = write(tmp_path, BASE, "services: {web: {image: 'web:2'}}\n")
    code, out, _ = run(capsys, "-c", base, "-c", override, "--format", "json")
    assert code == 0
    assert [file["path"] for file in json.loads(out)["files"]] == [str(base), str(override)]


def test_an_old_version_is_removed_from_all_files_or_from_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = "version: '3.8'\nservices:\n  web: {image: 'web:1'}\n"
    files = write(tmp_path, old, old)
    run(capsys, "-c", files[0], "-c", files[1], "--fix", "--write")
    assert not any("version" in path.read_text() for path in files)
    files = write(tmp_path, old, "{version: '3.8', services: {}}\n")
    run(capsys, "-c", files[0], "-c", files[1], "--fix", "--write")
    assert all("version" in path.read_text() for path in files)


@pytest.mark.parametrize("words", [["-c", "nothing.yml"], ["-c", "x.yml", "y.yml"]])
def test_files_that_cannot_be_linted_exit_2(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert run(capsys, *words)[0] == 2


def test_a_file_over_itself_is_accepted_as_by_itself(tmp_path: Path) -> None:
    for path in sorted(CORPUS.glob("*.yml")):
        alone = engine.lint([source.find(str(path))], {})[0]
        twice = engine.lint_stacks([[source.find(str(path)), source.find(str(path))]], {})
        assert {report.accepted for report in twice} == {alone.accepted}, path.name
