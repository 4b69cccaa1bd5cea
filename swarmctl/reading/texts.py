"""Text of others — a machine's console, an API's answer — made fit to be shown. Pure."""

from __future__ import annotations

import re

# What a terminal would obey (ECMA-48: control sequences, operating system commands, others), and
# the characters that neither a terminal shows nor XML 1.0 allows.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """The text without escape sequences and control characters; lines and tabs stay."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def one_line(text: str, limit: int) -> str:
    """The text, clean, in one line of at most ``limit`` characters."""
    return shortened(" ".join(clean(text).split()), limit)


def shortened(text: str, limit: int) -> str:
    """The text, or its beginning and how much is left out."""
    if len(text) <= limit:
        return text
    tail = f"… ({len(text)} characters in all)"
    return text[: limit - len(tail)] + tail


def reason(fault: BaseException) -> str:
    """Why something failed, without Python's ``[Errno 2]`` and the file's name a second time."""
    return getattr(fault, "strerror", None) or str(fault) or type(fault).__name__
