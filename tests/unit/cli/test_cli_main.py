"""The command line's manners: two lines for an error, the right exit code, no traceback."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from swarmctl.cli import console
from swarmctl.cli import main as cli
from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.stack.render import folders

ROOT = Path(__file__).resolve().parents[3]


def raising(monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> None:
    def names() -> list[str]:
        raise fault

    monkeypatch.setattr(folders, "stack_names", names)


def test_an_error_is_two_lines_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, SwarmctlError("it [broke] here", "mend it"))
    assert cli.main(["stack", "list"]) == 1
    seen = capsys.readouterr()
    assert seen.out == ""
    assert seen.err == "error: it [broke] here\nhint: mend it\n"


def test_an_error_never_fills_the_terminal_or_commands_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, SwarmctlError("\x1b]0;mine\x07the node said: " + "x" * 200_000, "\x1b[2J"))
    assert cli.main(["stack", "list"]) == 1
    seen = capsys.readouterr().err
    assert seen.startswith("error: the node said: xxx")
    assert len(seen) < 6000
    assert "\x1b" not in seen


def test_a_guards_refusal_exits_3(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, RefusedError("no"))
    assert cli.main(["stack", "list"]) == 3


def test_ctrl_c_exits_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, KeyboardInterrupt())
    assert cli.main(["stack", "list"]) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_ctrl_c_while_the_commands_are_imported_exits_130(tmp_path: Path) -> None:
    """Broken: a traceback of the import system, and the exit code of a signal."""
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["swarmctl"]
    module, function = script.split(":")
    ended = subprocess.run(
        [sys.executable, "-c", f"from {module} import {function}; {function}()", "status"],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (130, "error: interrupted\n")


def test_debug_prints_the_traceback_wherever_it_is_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, SwarmctlError("it broke"))
    assert cli.main(["stack", "list", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stak"], "No such command 'stak'"),
        (["stack", "render"], "Missing argument"),
        (["stack", "render", "x", "--nope"], "No such option"),
        (["stack", "render", "nosuch"], "unknown stack 'nosuch'"),
        (["stack", "wait", "x", "--since", "noon"], "Invalid value for '--since'"),
        (["status", "--host", "10.0.0.1"], "cannot read --host"),
        (["status", "--format", "xml"], "Invalid value for '--format'"),
        (["status", "--watch", "--format", "json"], "--watch cannot be combined"),
        (["discovery", "run", "--http", "8500"], "--http 8500: not an address and a port"),
        (["discovery", "run", "--interval", "0"], "Invalid value for '--interval'"),
    ],
)
def test_a_usage_error_exits_2_and_says_what_is_wrong(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert said in error
    assert hint.startswith("hint: ")


def test_version_and_help_exit_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("swarmctl ")
    assert cli.main(["--help"]) == 0
    assert "lab" in capsys.readouterr().out


def every_command() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    left: list[tuple[tuple[str, ...], Any]] = [((), cli._commands())]
    while left:
        words, command = left.pop()
        found.append(words)
        left += [((*words, name), sub) for name, sub in getattr(command, "commands", {}).items()]
    return found


PYTHON_TYPE = re.compile(r"<(?:list\[.*?|str|int|float|path|.* range)>")


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_help_names_every_value_and_shows_no_python_type(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--help"]) == 0
    assert PYTHON_TYPE.findall(capsys.readouterr().out) == []


def test_help_does_not_wait_for_heavy_imports() -> None:
    """A user feels half a second; boto3, docker, matplotlib or Rich would cost more than that."""
    program = (
        "import sys; from swarmctl.cli.main import main; main(['--help']);"
        "heavy = {'boto3', 'docker', 'paramiko', 'matplotlib', 'moto', 'rich', 'jinja2', 'yaml'};"
        "sys.exit(','.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_bug_of_swarmctl_is_not_a_bare_traceback(tmp_path: Path) -> None:
    program = (
        "import sys; from swarmctl.cli import main; from swarmctl.stack.render import folders\n"
        "folders.stack_names = lambda: 1 / 0\n"
        "sys.argv = ['swarmctl', 'stack', 'list']; main.run()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: swarmctl itself failed: ZeroDivisionError: division by zero",
        "hint: run it again with --debug and report the traceback",
    ]


def test_render_prints_the_compose_file_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docker-compose.yml.j2").write_text("services: {web: {image: '{{ image }}'}}\n")
    (tmp_path / "values.yml").write_text("image: httpd\n")
    assert cli.main(["stack", "render", str(tmp_path), "--set", "image=nginx"]) == 0
    assert capsys.readouterr().out == "services: {web: {image: 'nginx'}}\n"
    target = tmp_path / "out"
    words = ["stack", "render", str(tmp_path), "-o", str(target)]
    assert cli.main([*words, "--check"]) == 1
    assert cli.main(words) == 0
    assert cli.main([*words, "--check"]) == 0


def test_a_note_that_quotes_a_node_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    console.note("wkr1 says \x1b[2J\x1b]0;title\x07[red]hello")
    assert capsys.readouterr().err == "wkr1 says [red]hello\n"
