"""The rooms of the house: who may import whom, how large they may be, and the map of them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

MAX_LINES = 400
# The faults are one file each, and there are sixteen of them.
MAX_FILES, MORE = 16, {"swarmctl/chaos/faults": 17, "swarmctl/audit/checks": 17}


def python_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_no_room_imports_a_room_above_it_and_no_import_is_circular() -> None:
    checked = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_no_file_is_too_long_to_read() -> None:
    lines = {file: (ROOT / file).read_text().count("\n") for file in python_files()}
    assert len(lines) > 200  # the list itself is not empty by mistake
    assert {file: n for file, n in lines.items() if n > MAX_LINES} == {}


def test_no_folder_holds_too_many_files() -> None:
    sizes = Counter(str(file.parent) for file in python_files())
    crowded = {room: n for room, n in sizes.items() if n > MORE.get(room, MAX_FILES)}
    assert crowded == {}


def test_every_path_that_the_architecture_page_names_exists() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    named = set(re.findall(r"`((?:swarmctl|tests|playbooks|roles|stacks|bench)/[\w./-]*)`", page))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
