"""``make mutation``: change the safety core's code, one place at a time, and see if a test fails.

Usage: python -m tests.mutation.run [--jobs N] [MODULE…]   (of modules.toml; default: all)

mutmut (https://mutmut.readthedocs.io) must be in ``build/mutation/tool``. Each module runs in its
own copy of the repository, ``build/mutation/<module>``: there, ``mutmut show`` prints a mutant.
Exits 1 if the tests notice less than 90 % of a file's mutants, or a file has none.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build/mutation"
LEAST = 90.0

# A mutant that makes a test wait for ever is noticed, too.
_NOTICED = ("killed", "timeout")


@dataclass(frozen=True, slots=True)
class Module:
    """Files to change (paths or patterns from the root), and the tests that must notice."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """How many mutants of a file (as Python imports it) there are, and how many are noticed."""

    file: str
    mutants: int
    noticed: int

    @property
    def percent(self) -> float:
        """Noticed mutants of a hundred."""
        return 100 * self.noticed / self.mutants


def read_modules() -> dict[str, Module]:
    """The modules of ``modules.toml`` by name."""
    text = Path(__file__).with_name("modules.toml").read_text()
    return {
        name: Module(tuple(entry["files"]), tuple(entry["tests"]))
        for name, entry in tomllib.loads(text).items()
    }


def scores_of(results: Mapping[str, str]) -> list[Score]:
    """The score of each file.

    Args:
        results: mutmut's verdict by mutant (``package.file.x_function__mutmut_1``).
    """
    by_file: dict[str, Counter[bool]] = defaultdict(Counter)
    for mutant, verdict in results.items():
        by_file[mutant.rpartition(".")[0]][verdict in _NOTICED] += 1
    return [Score(file, seen.total(), seen[True]) for file, seen in sorted(by_file.items())]


def unmeasured(module: Module, scores: Iterable[Score]) -> list[str]:
    """The files of a module that have no mutant, and its patterns of which no file has one."""
    paths = [f"{score.file.replace('.', '/')}.py" for score in scores]
    return [file for file in module.files if not any(fnmatch(path, file) for path in paths)]


def main() -> int:
    """Run the modules asked for; print each mutant that survived, and the scores."""
    modules = read_modules()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants at a time")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=", ".join(modules))
    options = parser.parse_args()
    if unknown := sorted(set(options.modules) - set(modules)):
        parser.error(f"unknown module {', '.join(unknown)}; there are {', '.join(modules)}")
    console = Console(soft_wrap=True, highlight=False, markup=False)
    scores: list[Score] = []
    missing: list[str] = []
    for name in options.modules or modules:
        console.print(f"• {name} …")
        place = _copy(name, modules[name])
        results = _mutate(place, options.jobs)
        found = scores_of(results)
        scores += found
        missing += unmeasured(modules[name], found)
        for mutant, verdict in results.items():
            if verdict not in _NOTICED:
                console.print(f"  {mutant}: {verdict}\n{_change(place, mutant)}")
    console.print(_table(scores))
    for file in missing:
        console.print(f"error: {file} has no mutants: nothing was measured")
    return int(bool(missing) or any(score.percent < LEAST for score in scores))


def _table(scores: Iterable[Score]) -> Table:
    table = Table("file", "mutants", "noticed", "score")
    for score in scores:
        style = "red" if score.percent < LEAST else ""
        figures = (str(score.mutants), str(score.noticed), f"{score.percent:.1f} %")
        table.add_row(score.file, *figures, style=style)
    return table


def _copy(name: str, module: Module) -> Path:
    """The repository's files and mutmut's settings in a directory of their own."""
    place = WORK / name
    shutil.rmtree(place, ignore_errors=True)  # the first time there is none
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [file for file in names.split("\0") if file and (ROOT / file).is_file()]
    for file in files:
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, place / file)
    settings = {
        "source_paths": ["swarmctl"],
        "only_mutate": module.files,
        "also_copy": sorted({file.split("/")[0] for file in files} - {"swarmctl"}),
        "pytest_add_cli_args_test_selection": module.tests,
        # A mutant may wait for ever.
        "pytest_add_cli_args": ["--timeout=20", "-p", "tests.mutation.fresh_caches"],
        "use_git_change_detection": False,
    }
    # JSON's texts, lists and truth values are TOML's.
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in settings.items()]
    with (place / "pyproject.toml").open("a") as project:
        project.writelines(["\n[tool.mutmut]\n", *lines])
    return place


def _mutate(place: Path, jobs: int) -> dict[str, str]:
    """mutmut's verdict by mutant."""
    log = place / "mutmut.log"
    with log.open("w") as output:
        if _mutmut(place, "run", "--max-children", str(jobs), output=output).returncode:
            sys.exit(f"error: mutmut failed; see {log}")
    lines = _mutmut(place, "results", "--all", "true").stdout.splitlines()
    return dict(line.strip().split(": ", 1) for line in lines if "__mutmut_" in line)


def _change(place: Path, mutant: str) -> str:
    """The lines that a mutant changes, before and after."""
    shown = _mutmut(place, "show", mutant).stdout.splitlines()
    lines = [s for s in shown if s[:1] in ("+", "-") and s[:3] not in ("+++", "---")]
    return "\n".join(f"    {line}" for line in lines)


def _mutmut(
    place: Path, *arguments: str, output: IO[str] | None = None
) -> subprocess.CompletedProcess[str]:
    tool = WORK / "tool"
    return subprocess.run(
        [sys.executable, tool / "bin/mutmut", *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(tool)},
        stdout=output or subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
