"""A lab for some tests, removed before and after them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from swarmctl.lab import lab as labs
from tests.lab.support import BIN, ROOT, Lab


@contextmanager
def lab_of_its_own(name: str) -> Iterator[Lab]:
    """Start a lab, and remove it in the end."""
    _swarmctl("lab", "down", "--name", name)
    _swarmctl("lab", "up", "--name", name)
    try:
        variables = labs.environment(name)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ANSIBLE_"))}
        env = clean | variables | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
        }  # fmt: skip
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        yield Lab(env, labs.ec2_client(name))
    finally:
        _swarmctl("lab", "down", "--name", name)


def _swarmctl(*words: str) -> None:
    subprocess.run([str(BIN / "swarmctl"), *words], check=True, cwd=ROOT, timeout=1800)
