"""What a person sees of a playbook run: real runs of a small playbook."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
PLAYBOOK = Path(__file__).with_name("playbook.yml")
ANSIBLE = Path(sys.executable).with_name("ansible-playbook")
INVENTORY = "a,b,c,gone"
FIRST = "✗ First play: failed on b, c"


def command(folder: Path) -> list[str]:
    variables = {
        "ansible_python_interpreter": sys.executable,
        "folder": str(folder),
        "ansible_port": "1",
        "ansible_host": "127.0.0.1",
        "ansible_ssh_retries": "0",
    }
    pairs = [word for pair in variables.items() for word in ("-e", "=".join(pair))]
    return [str(ANSIBLE), "-i", INVENTORY, str(PLAYBOOK), *pairs]


def environment(**more: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "NO_COLOR"))}
    return clean | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "PYTHONPATH": str(ROOT)} | more


def run(*argv: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal."""
    return subprocess.run(
        argv,
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output of a run in which all kinds of things happen, without a terminal."""
    done = run(*command(tmp_path_factory.mktemp("plain")))
    assert done.returncode in (2, 4), done.stderr
    assert not [line for line in done.stderr.splitlines() if "callback" in line.lower()]
    return done.stdout


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same in a terminal."""
    parent, child = pty.openpty()
    termios.tcsetwinsize(child, (24, 80))
    process = subprocess.Popen(
        command(tmp_path_factory.mktemp("terminal")),
        cwd=ROOT,
        env=environment(TERM="xterm"),
        stdin=child,
        stdout=child,
        stderr=child,
    )
    os.close(child)
    parts = []
    try:
        while part := os.read(parent, 65536):
            parts.append(part)
    except OSError:  # the terminal's end, on Linux
        pass
    process.wait(timeout=120)
    os.close(parent)
    return b"".join(parts).decode()


def test_without_a_terminal_there_is_no_colour_and_no_cursor_movement(output: str) -> None:
    assert "\x1b" not in output
    assert "\r" not in output


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["• First play"], id="the step's title stands above what differs"),
        pytest.param(["a message for people"], id="messages for people are shown"),
        pytest.param(["changed: Change two hosts: a, b"], id="hosts that changed are named"),
        pytest.param(["changed: Change an item: a (two)"], id="so are items"),
        pytest.param(["web 1/2", "web 2/2", "web answers"], id="progress is shown"),
        pytest.param(
            [
                "failed, which the playbook handles: Fail in a block: all 3 hosts",
                "non-zero return code",
                "handled",
            ],
            id="a rescued failure is told as such",
        ),
        pytest.param(["failed, which is ignored: Try again: a"], id="so is an ignored one"),
        pytest.param(["changed: Work in the background: a"], id="async tasks are like others"),
        pytest.param(
            [
                "failed: Fail: c",
                "non-zero return code",
                "the reason",
                f"see {PLAYBOOK.relative_to(ROOT)}:62",
            ],
            id="a failure has its host, message and place",
        ),
        pytest.param(["- Nobody: no host"], id="a play without hosts is told"),
        pytest.param(["web answers at 192.0.2.1"], id="remarks stand at the end"),
    ],
)
def test_what_differs_is_told(output: str, lines: list[str]) -> None:
    assert "\n".join(lines) in re.sub(r"^ +", "", output, flags=re.MULTILINE)


def test_a_step_ends_with_one_line_and_how_long_it_took(output: str) -> None:
    assert re.search(rf"^{re.escape(FIRST)} +\d+\.\d s$", output, re.MULTILINE)
    assert "Nothing changes" not in output


def test_an_unreachable_host_is_told(output: str) -> None:
    assert "unreachable: Ask: gone" in output
    assert "Connection refused" in output


def test_the_output_of_a_no_log_task_is_hidden(output: str, terminal: str) -> None:
    for text in (output, terminal):
        assert "failed: Hide: b" in text
        assert "no_log" in text
        assert "sesame" not in text


def test_what_the_progress_has_told_is_not_told_again(output: str) -> None:
    assert output.count("web answers\n") == 1


def test_a_play_that_only_checks_is_told_only_if_it_fails(output: str) -> None:
    assert "Check only" not in output


def test_the_counts_of_each_host_and_the_result_stand_at_the_end(output: str) -> None:
    end = output.rstrip().splitlines()[-6:]
    counts = dict(re.findall(r"^(\S+) *: ok=\d+ changed=(\d+)", "\n".join(end), re.MULTILINE))
    assert counts == {"a": "5", "b": "1", "c": "0", "gone": "0"}
    assert end[-1].startswith("Failed after ")
    assert "First play: failed on b, c" in end[-1]


def test_a_terminal_shows_what_runs_and_keeps_the_same_lines(terminal: str) -> None:
    assert re.search(r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] First play · Nothing changes", terminal)
    plain = [_shown(line) for line in terminal.split("\n")]
    assert any(line.startswith(FIRST) for line in plain)
    assert "    changed: Change two hosts: a, b" in plain
    assert not [line for line in plain if line and line[0] in "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"]


def _shown(line: str) -> str:
    """What a terminal keeps of a line: text overwrites what is there; the rest can be cleared."""
    cells, at = "", 0
    for part in re.split(r"(\r|\x1b\[K)", re.sub(r"\x1b\[[\d;]*m", "", line)):
        if part == "\r":
            at = 0
        elif part == "\x1b[K":
            cells = cells[:at]
        else:
            cells = cells[:at] + part + cells[at + len(part) :]
            at += len(part)
    return cells


@pytest.fixture
def small(tmp_path: Path) -> Callable[..., str]:
    """Runs a playbook of one task, which writes a file."""
    (tmp_path / "small.yml").write_text(
        "- name: Small\n  hosts: a\n  connection: local\n  gather_facts: false\n  tasks:\n"
        f"    - name: Write\n      copy: {{content: new, dest: {tmp_path}/new, mode: '600'}}\n"
    )

    def run_it(*words: str, **variables: str) -> str:
        interpreter = f"ansible_python_interpreter={sys.executable}"
        play = str(tmp_path / "small.yml")
        done = run(str(ANSIBLE), "-i", "a,", play, "-e", interpreter, *words, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run_it


def test_check_mode_says_what_would_change(small: Callable[..., str], tmp_path: Path) -> None:
    output = small("--check", "--diff", NO_COLOR="1")
    assert output.startswith("Check mode: nothing is changed.\n")
    assert "    would change: Write: a\n" in output
    assert "    +new\n" in output
    assert "Would change: Small. " in output
    assert not (tmp_path / "new").exists()


def test_colour_can_be_forced(small: Callable[..., str]) -> None:
    output = small(ANSIBLE_FORCE_COLOR="1")
    assert "\x1b[0;33m    changed: Write: a" in output
    assert "\x1b[K" not in output


def test_the_full_output_is_one_switch_away(small: Callable[..., str]) -> None:
    assert "TASK [Write]" in small("--check", ANSIBLE_STDOUT_CALLBACK="default")
    assert "checksum: " in small("-v")


@pytest.mark.parametrize("how", ["import_role", "include_role"])
def test_a_part_of_a_role_is_a_step_by_the_name_that_the_playbook_gives_it(
    tmp_path: Path, how: str
) -> None:
    part = tmp_path / "roles/r/tasks/part.yml"
    part.parent.mkdir(parents=True)
    part.write_text("- block: [{name: First of many, command: 'true', changed_when: true}]\n")
    play = tmp_path / "play.yml"
    role = f"{{name: Do it, {how}: {{name: r, tasks_from: part}}}}"
    play.write_text(f"- {{hosts: a, gather_facts: false, tasks: [{role}]}}\n")
    interpreter = f"-eansible_python_interpreter={sys.executable}"
    done = run(str(ANSIBLE), "-i", "a,", "-c", "local", interpreter, str(play))
    assert done.returncode == 0, done.stderr
    assert "● Do it: changed" in done.stdout
    assert "changed: First of many: a" in done.stdout
