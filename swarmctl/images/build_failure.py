"""The error of a failed build: the Dockerfile's line, the reason, what to do. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from swarmctl.errors import SwarmctlError
from swarmctl.images.dockerfile import instructions
from swarmctl.images.engine import MIRROR_VARIABLE
from swarmctl.images.source import ImageSource
from swarmctl.reading.texts import one_line

LOG_LINES = 25  # of the log that are shown

#: The beginning of a step, as ``docker build`` and ``docker buildx build`` print it.
STEP = re.compile(r"(?:Step (?P<step>\d+)/\d+ : |#\d+ \[[^\]]*\d+/\d+\] )(?P<what>.*)")

_LINE = re.compile(r"(?:dockerfile parse error (?:on )?line |^Dockerfile:)(\d+)", re.IGNORECASE)
_WRAPPERS = re.compile(
    r"^(?:ERROR: |Error response from daemon: |failed to solve(?: with frontend \S+)?: "
    r"|rpc error: code = \w+ desc = |failed to create LLB definition: )+"
)
_NOISE = re.compile(
    r"DEPRECATED: The legacy builder|BuildKit is currently disabled|environment-variable\.$"
    r"|Sending build context|^ ---> |Removing intermediate container|^-+$|^\s*$"
)


def failure(source: ImageSource, dockerfile: str, log: Sequence[str]) -> SwarmctlError:
    """The error of a failed build: the Dockerfile's line, the reason, and the end of the log."""
    said = [line for line in log if not _NOISE.search(line)]
    reason = said[-1] if said else "no message"
    reason = _WRAPPERS.sub("", reason)
    where, what = str(source.dockerfile), ""
    if line := _line_of_failure(dockerfile, log):
        where = f"{where}:{line}"
        written = dockerfile.splitlines()[line - 1].strip().removesuffix("\\").strip()
        what = f" ({one_line(written, 80)})"
    end = "\n".join(f"  {line}" for line in said[-LOG_LINES:])
    return SwarmctlError(
        f"{where}{what}: {one_line(reason, 400)}\nthe end of the build's log:\n{end}",
        _advice(reason, source),
    )


def _line_of_failure(dockerfile: str, log: Sequence[str]) -> int:
    """The line of the instruction that failed; 0 if the log does not tell."""
    for text in reversed(log):
        if found := _LINE.search(text):
            line = int(found[1])
            return line if line <= len(dockerfile.splitlines()) else 0
    known = instructions(dockerfile)
    last = next((found for text in reversed(log) if (found := STEP.search(text))), None)
    if last is None:
        return 0
    if last["step"]:
        return known[int(last["step"]) - 1].line if int(last["step"]) <= len(known) else 0
    # An older BuildKit tells only the instruction.
    written = last["what"].split()
    lines = [
        i.line for i in known if [i.word, *i.rest.split()] == written[: 1 + len(i.rest.split())]
    ]
    return lines[-1] if lines else 0


def _advice(reason: str, source: ImageSource) -> str:
    if "exec format error" in reason:
        return (
            f"this machine cannot run programs of {source.platform or 'that platform'}: build "
            "there, or install emulation (package qemu-user-static)"
        )
    unreachable = ("no such host", "connection refused", "i/o timeout", "TLS handshake timeout")
    if re.search(r"https?://\S+/v2/", reason) or any(word in reason for word in unreachable):
        return (
            "the base image cannot be pulled: is its registry reachable from here? "
            f"{MIRROR_VARIABLE}=HOST names a registry that serves Docker Hub's images"
        )
    if "manifest unknown" in reason or "not found" in reason or "no match for platform" in reason:
        return "is the base image's name right, and does it exist for this platform?"
    return "the log above ends with the failed command's own words"
