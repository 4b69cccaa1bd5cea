"""``docker stack config`` accepts the very files that the lint calls accepted.

By default a few random files; with ``SWARMCTL_COMPOSE_FUZZ=5000`` as many, as ``make proof`` does.
Files that differ are left in ``SWARMCTL_COMPOSE_FUZZ_KEEP``.
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from swarmctl.stack.lint import engine
from swarmctl.stack.lint.source import Source
from tests.unit.stack_lint.lint_corpus import CORPUS, docker_accepts, docker_has_stack_config
from tests.unit.stack_lint.random_files import SEEDS, generated, mutated

FILES = int(os.environ.get("SWARMCTL_COMPOSE_FUZZ", "40"))
KEEP = os.environ.get("SWARMCTL_COMPOSE_FUZZ_KEEP", "")
SEED = int(os.environ.get("SWARMCTL_COMPOSE_FUZZ_SEED", "1"))

pytestmark = pytest.mark.skipif(
    not docker_has_stack_config(), reason="no docker CLI with `stack config` (25.0 or newer)"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("ok.env", "bad.env"):
        shutil.copy(CORPUS / name, tmp_path)
    return tmp_path


def agrees(data: bytes, folder: Path) -> bool:
    path = folder / "docker-stack.yml"
    path.write_bytes(data)
    ours = engine.is_accepted(data, Source("", data, folder), os.environ)
    return ours is docker_accepts(path)


def test_random_files_are_accepted_by_both_or_by_neither(folder: Path) -> None:
    dice = random.Random(SEED)
    differ = []
    for number in range(FILES):
        data = mutated(dice.choice(SEEDS), dice) if number % 2 else generated(dice)
        if not agrees(data, folder):
            differ.append(data.decode(errors="replace"))
            Path(KEEP or folder, f"{number}.yml").write_bytes(data)
    assert not differ, f"{len(differ)} of {FILES} files, for example:\n{differ[0]}"
