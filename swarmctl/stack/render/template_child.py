"""The process that renders one template, within limits of time and memory.

A template can compute without end, also in one step that no signal handler interrupts:
Jinja computes ``7**30000000`` while it compiles, and ignores errors there, a time-out's too. So the
limits are the kernel's: first a signal, which becomes an error with file and line; then the end.
"""

from __future__ import annotations

import base64
import contextlib
import json
import pickle
import resource
import signal
import sys
from typing import NoReturn

from swarmctl.stack.render.template import FAULTS, fill_in
from swarmctl.stack.render.template_faults import explained


def main() -> None:
    """Read the job from stdin; write the result, or the error, to stdout as JSON."""
    stack, values, images, seconds, memory = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our parent
    _limit(seconds, memory)
    try:
        filled = fill_in(stack, values, images)
    except FAULTS as fault:
        error = explained(fault, stack, values)
        answer: dict[str, object] = {"message": error.message, "hint": error.hint}
    else:
        files = {name: base64.b64encode(data).decode() for name, data in filled.files.items()}
        answer = {"text": filled.text, "files": files, "questions": list(filled.questions)}
    sys.stdout.write(json.dumps(answer))


def _limit(seconds: int, memory: int) -> None:
    def late(*_: object) -> NoReturn:
        raise TimeoutError(f"the template was still running after {seconds} s")

    signal.signal(signal.SIGXCPU, late)
    for kind, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_CPU, seconds, seconds + 1),
        (resource.RLIMIT_AS, memory, memory),
    ):
        with contextlib.suppress(ValueError, OSError):  # a system without this limit
            resource.setrlimit(kind, (soft, hard))
