"""The corpus: compose files that say themselves what is to be found in them.

In their comments::

    # rules: SW011 SW012        the rules a file is about; `all` for every one
    # snapshot: swarm.json      the Swarm it is linted for
    # refused                   `docker stack config` fails on it
    image: nginx  # expect: SW060          a finding on this very line
    # expect: SW001@5 SW002@6              findings on other lines
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from swarmctl.stack.lint import engine, snapshot, source
from swarmctl.stack.lint.rules import RULES

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Sample:
    """One file of the corpus and what it expects."""

    path: Path
    rules: frozenset[str]
    refused: bool
    snapshot: Path | None
    expected: frozenset[tuple[str, int]]


def samples() -> list[Sample]:
    """Every file of the corpus."""
    return [read(path) for path in sorted(CORPUS.glob("*.yml"))]


def read(path: Path) -> Sample:
    """A file's own expectations."""
    text = path.read_text(encoding="utf-8")
    rules, snapshots = _header(text, "rules"), _header(text, "snapshot")
    return Sample(
        path=path,
        rules=frozenset(RULES if rules == ["all"] else rules),
        refused=bool(re.search(r"^# refused$", text, re.MULTILINE)),
        snapshot=CORPUS / snapshots[0] if snapshots else None,
        expected=frozenset(_expected(text)),
    )


def _header(text: str, name: str) -> list[str]:
    found = re.search(rf"^# {name}: (.*)$", text, re.MULTILINE)
    return found[1].split() if found else []


def _expected(text: str) -> list[tuple[str, int]]:
    expected = []
    for number, line in enumerate(text.splitlines(), start=1):
        found = re.search(r"# expect: (.*)$", line)
        for word in found[1].split() if found else ():
            rule, _, elsewhere = word.partition("@")
            expected.append((rule, int(elsewhere or number)))
    return expected


def lint(path: Path, swarm: Path | None = None) -> engine.Report:
    """Lint one file."""
    known = snapshot.read(swarm) if swarm else None
    return engine.lint([source.find(str(path))], os.environ, known)[0]


def found(report: engine.Report) -> frozenset[tuple[str, int]]:
    """Rule and line of each finding."""
    return frozenset((f.rule.id, f.line) for f in report.findings)


@functools.cache
def docker_has_stack_config() -> bool:
    """Whether there is a docker CLI with ``stack config`` (25.0 or newer)."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    probe = subprocess.run([docker, "stack", "config", "--help"], capture_output=True, check=False)
    return probe.returncode == 0


def docker_accepts(*files: Path) -> bool:
    """Whether ``docker stack config`` takes the files as one stack."""
    options = [word for file in files for word in ("-c", str(file))]
    command = ["docker", "stack", "config", *options]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
