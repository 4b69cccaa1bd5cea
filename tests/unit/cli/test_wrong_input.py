"""What a wrong command line or file gets: what, where, what to do. No cluster is needed."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from swarmctl.cli.main import main

# The exit code, and what must be in the answer.
WRONG = {
    "status --format yaml": (2, "'--format': 'yaml' is not one of 'table', 'json'"),
    "status --host ssh://a@127.0.0.1:{port}": (1, "are address and port right?"),
    "status --host unix://{tmp}/x": (1, "cannot be used: No such file or directory"),
    "audit --unlock-key-file {tmp}/x": (2, "key-file {tmp}/x: No such file or directory"),
    "backup list --from {tmp}/x --cluster a": (0, "there is no directory {tmp}/x"),
    "backup list --from s3:/bucket --cluster a": (2, "write a directory, or s3://BUCKET/PREFIX"),
    "backup check latest -i {tmp}/x --from {tmp} --cluster a": (2, "{tmp}/x: No such file"),
    "chaos report x --runs-dir {tmp}": (2, "unknown run 'x' in {tmp}"),
    "stack deploy {tmp} --host unix://{tmp}/x": (2, "no stack in {tmp}"),
    "stack diff {tmp}/x.yml --host unix://{tmp}/x": (2, "there is no file {tmp}/x.yml"),
    "upgrade plan --survey {tmp}/x": (2, "cannot read {tmp}/x: No such file or directory"),
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_input_gets_what_is_wrong_where_and_what_to_do(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, words = WRONG[line]
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nothing listens: connections are refused
        places = {"tmp": tmp_path, "port": closed.getsockname()[1]}
        assert main(line.format(**places).split()) == code
    seen = capsys.readouterr()
    assert words.format(**places) in seen.out + seen.err
    assert "Errno" not in seen.err
