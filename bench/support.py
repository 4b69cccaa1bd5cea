"""The lab in which everything is measured, and how commands are run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swarmctl.lab import lab as labs

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
NAME = "bench"
CIDR = "10.95.0.0/16"
CLUSTER = "swarm_app"
VICTIM = f"{CLUSTER}_wkr2"


@contextmanager
def lab() -> Iterator[tuple[dict[str, str], float]]:
    """Start a lab and remove it afterwards; yields its environment and the seconds to start it."""
    command([str(BIN / "swarmctl"), "lab", "down", "--name", NAME])
    started = time.monotonic()
    command([str(BIN / "swarmctl"), "lab", "up", "--name", NAME])
    took = time.monotonic() - started
    try:
        yield labs.environment(NAME), took
    finally:
        command([str(BIN / "swarmctl"), "lab", "down", "--name", NAME])


def command(argv: list[str], env: dict[str, str] | None = None) -> str:
    """Run a command and return what it prints; its output is shown only when it fails."""
    done = subprocess.run(
        argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
