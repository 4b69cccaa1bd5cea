"""Render a template in a process of its own, which can be ended; see ``template_child``."""

from __future__ import annotations

import base64
import json
import pickle
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swarmctl.errors import UsageError
from swarmctl.images.names import Question
from swarmctl.stack.render.stack_files import TEMPLATE
from swarmctl.stack.render.template import Filled

# Neither environment nor site is read, which saves half of the start. The path is given instead.
_START = (
    "import sys; sys.path[:] = sys.argv[1:]; "
    "from swarmctl.stack.render.template_child import main; main()"
)
_PACKAGE = Path(__file__).parents[3]  # the folder of `swarmctl`


@dataclass(frozen=True, slots=True)
class Limits:
    """What a template may use.

    Attributes:
        seconds: of computing; a large stack takes a tenth of one.
        wall_seconds: in all, on a busy machine.
        memory: bytes of address space; an empty template takes 60 MiB.
    """

    seconds: int = 10
    wall_seconds: float = 60.0
    memory: int = 512 * 2**20


LIMITS = Limits()


def run_template(
    stack: Path,
    values: Mapping[str, Any],
    images: Mapping[Question, str] | None = None,
    limits: Limits = LIMITS,
) -> Filled:
    """Render a stack's template.

    Args:
        stack: the stack's folder.
        values: what the template may use.
        images: the names of images that it may ask for.
        limits: after which it is ended.

    Raises:
        UsageError: the template failed, or needs more than it may use; the message has file:line.
    """
    job = pickle.dumps((stack, dict(values), dict(images or {}), limits.seconds, limits.memory))
    argv = [sys.executable, "-I", "-S", "-c", _START, str(_PACKAGE), *sys.path]
    try:
        done = subprocess.run(
            argv, input=job, capture_output=True, timeout=limits.wall_seconds, check=False
        )
    except subprocess.TimeoutExpired as fault:
        raise _ended(stack, f"ended after {limits.wall_seconds:g} s") from fault
    if done.returncode < 0:
        raise _ended(stack, f"ended after {limits.seconds} s of computing")
    if done.returncode:
        last = (done.stderr.decode(errors="replace").splitlines() or ["no message"])[-1]
        raise UsageError(f"{stack / TEMPLATE}: the template failed: {last}")
    answer = json.loads(done.stdout)
    if "message" in answer:
        raise UsageError(answer["message"], answer["hint"])
    files = {name: base64.b64decode(data) for name, data in answer["files"].items()}
    questions = frozenset((function, argument) for function, argument in answer["questions"])
    return Filled(answer["text"], files, questions)


def _ended(stack: Path, how: str) -> UsageError:
    return UsageError(
        f"{stack / TEMPLATE}: the template was {how}",
        "is there a loop over a large range, or a very large number?",
    )
