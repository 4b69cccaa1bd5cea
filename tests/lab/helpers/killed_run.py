"""A run that is killed with SIGKILL once its output says a certain thing."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Sequence

from tests.lab.support import BIN, ROOT, Lab


def killed_at(lab: Lab, said: str, playbook: str, *words: str, timeout: float = 1200) -> str:
    """Run a playbook, and kill it; what it has begun on this computer or a node may go on.

    See :func:`killed`.
    """
    argv = (str(BIN / "ansible-playbook"), f"playbooks/{playbook}.yml", *words)
    return killed(lab, said, argv, timeout)


def killed(lab: Lab, said: str, argv: Sequence[str], timeout: float) -> str:
    """Run a command, and kill it with its process group at the first line that has ``said``.

    Returns:
        The output until then.

    Raises:
        AssertionError: the run ended without that line.
    """
    process = subprocess.Popen(
        argv,
        cwd=ROOT,
        env=lab.env | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )

    def kill() -> None:
        os.killpg(process.pid, signal.SIGKILL)

    deadline = threading.Timer(timeout, kill)
    deadline.start()
    lines = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if said in line:
                kill()
                return "".join(lines)
    finally:
        deadline.cancel()
        process.wait()
    raise AssertionError(f"it never said {said!r}:\n{''.join(lines)[-4000:]}")
