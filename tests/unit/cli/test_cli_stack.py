"""``swarmctl stack``: what is refused before a Swarm is asked."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import typer

from swarmctl.cli import main as cli
from swarmctl.cli.options import parse_seconds
from swarmctl.errors import UsageError
from swarmctl.stack.render.source import StackSource, choose_source


def load(stack: str = "", **more: Any) -> StackSource:
    return choose_source(stack, **more).load()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("2m", 120), ("1.5m", 90), ("1m30s", 90), ("30s1m", 90)],
)
def test_times_are_read_with_their_unit(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


def test_values_are_read_from_stdin_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "values.yml").write_text("image: ''\nreplicas: 1\n")
    (tmp_path / "docker-compose.yml.j2").write_text(
        "services: {web: {image: {{ image }}, deploy: {replicas: {{ replicas }}}}}\n"
    )
    monkeypatch.setattr("sys.stdin", io.StringIO("image=httpd:2=4\n\nreplicas=3\n"))
    words = ["stack", "render", str(tmp_path), "--set", "-", "--set", "replicas=4"]
    assert cli.main(words) == 0
    rendered = capsys.readouterr().out
    assert "image: httpd:2=4" in rendered
    assert "replicas: 4" in rendered


@pytest.mark.parametrize("text", ["", "0s", "-1", "soon", "2 m", "-5s", "inf", "1d", "9999999h"])
def test_an_invalid_time_is_refused(text: str) -> None:
    with pytest.raises(
        typer.BadParameter, match=r"is not a duration|is negative|is not between|too long"
    ):
        parse_seconds(text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["deploy", "nosuch"], "unknown stack 'nosuch'"),
        (
            ["deploy", "three_tier", "--wait", "soon"],
            "--wait': 'soon' is not a duration",
        ),
        (["deploy", "nosuch.yml"], "there is no file nosuch.yml"),
        (
            ["wait", "three_tier", "--timeout", "soon"],
            "--timeout': 'soon' is not a duration",
        ),
        (["rm", "three_tier", "--timeout", "0"], "Invalid value for '--timeout'"),
        (["deploy", "three_tier", "--as", "a b"], "'a b' cannot be the name of a stack"),
        (["deploy", "three_tier", "--resolve-image", "no"], "Invalid value for '--resolve-image'"),
        (["diff", "three_tier", "--set", "publish"], "cannot read --set"),
        (["deploy", "three_tier", "--host", "10.0.0.1"], "cannot read --host"),
    ],
)
def test_a_usage_error_exits_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["stack", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_stack_is_deployed_under_its_name_or_the_one_that_is_given(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "docker-compose.yml.j2").write_text("services: {web: {image: '{{ stack_name }}'}}\n")
    found = load(str(folder))
    assert (found.name, found.rendered.compose) == ("shop", "services: {web: {image: 'shop'}}\n")
    found = load(str(folder), name="other")
    assert (found.name, found.rendered.compose) == ("other", "services: {web: {image: 'other'}}\n")


def test_a_compose_file_that_is_not_a_template_has_no_values(tmp_path: Path) -> None:
    compose = tmp_path / "compose.yml"
    compose.write_text("services: {web: {image: httpd}}\n")
    assert load(str(compose)).name == tmp_path.name
    with pytest.raises(UsageError, match="not a template"):
        load(str(compose), assignments=["a=1"])


def test_compose_files_keep_their_order_and_their_paths_start_at_the_first(
    tmp_path: Path,
) -> None:
    base, more = tmp_path / "base.yml", tmp_path / "more" / "prod.yml"
    more.parent.mkdir()
    base.write_text("services: {web: {image: httpd}}\n")
    more.write_text("secrets: {key: {file: key.txt}}\n")
    (tmp_path / "key.txt").write_text("k")
    found = load("shop", compose_files=[base, more])
    assert found.name == "shop"
    assert found.rendered.compose_texts == (base.read_text(), more.read_text())
    assert found.rendered.files == {"key.txt": b"k"}
    with pytest.raises(UsageError, match=r"there is no file .*nosuch.yml"):
        load(compose_files=[base, tmp_path / "nosuch.yml"])
    with pytest.raises(UsageError, match="not a compose file"):
        load(compose_files=[more])


def test_a_deploy_needs_a_stack_or_compose_files() -> None:
    with pytest.raises(UsageError, match="no stack to deploy"):
        load()
