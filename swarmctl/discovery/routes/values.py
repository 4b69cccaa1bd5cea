"""The values of ``swarmctl.http.…`` labels: each reader returns what AWS expects, or says why not.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from swarmctl.discovery.labels import LabelError
from swarmctl.reading.quantities import seconds

MAX_LENGTH = 128  # characters of a path or host
_PATH = re.compile(r"/[A-Za-z0-9_\-.$/~\"'@:+&*?%!,;=()]*")
_HOST = re.compile(r"(?:[a-z0-9*?-]+\.)+[a-z]+")
_CODES = re.compile(r"[2-4][0-9]{2}(-[2-4][0-9]{2})?(,[2-4][0-9]{2}(-[2-4][0-9]{2})?)*")
_SPECIAL = re.compile(r"([.+()$|^\[\]{}\\])")
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


def listed(text: str) -> Iterator[str]:
    """The items of a list with commas."""
    return (item for part in text.split(",") if (item := part.strip()))


def path(text: str) -> str:
    """A path pattern; ``*`` is any number of characters, ``?`` is one."""
    if not text.startswith("/"):
        raise LabelError("a path begins with /")
    if not _PATH.fullmatch(text):
        raise LabelError("a path has letters, digits, and the characters _-.$/~\"'@:+&*? only")
    return _not_too_long(text)


def plain_path(text: str) -> str:
    """A path without ``*`` and ``?``."""
    if "*" in text or "?" in text:
        raise LabelError("it cannot have * or ?")
    return path(text)


def host(text: str) -> str:
    """A host pattern, in small letters."""
    if not _HOST.fullmatch(name := text.lower()):
        raise LabelError("a host is a DNS name with a dot: www.example.org, *.example.org")
    return _not_too_long(name)


def yes_or_no(text: str) -> str:
    """``true`` or ``false``."""
    if text.lower() not in (*_TRUE, *_FALSE):
        raise LabelError("write true or false")
    return "true" if text.lower() in _TRUE else "false"


def codes(text: str) -> str:
    """HTTP status codes: ``200``, ``200,302`` or ``200-399``; an ALB accepts 200 to 499."""
    if not _CODES.fullmatch(plain := text.replace(" ", "")):
        raise LabelError("write status codes from 200 to 499, such as 200,302 or 200-399")
    return plain


def one_of(*known: str) -> Callable[[str], str]:
    """A reader of some words."""

    def read(text: str) -> str:
        if text.lower() not in known:
            raise LabelError(f"write {', '.join(known[:-1])} or {known[-1]}")
        return text.lower()

    return read


def number(least: int, most: int) -> Callable[[str], str]:
    """A reader of whole numbers."""

    def read(text: str) -> str:
        if not text.isascii() or not text.isdecimal() or not least <= int(text[:9]) <= most:
            raise LabelError(f"write a number from {least} to {most}")
        return str(int(text))

    return read


def time(least: int, most: int, *, or_zero: bool = False) -> Callable[[str], str]:
    """A reader of whole seconds: ``30``, ``30s`` or ``5m``."""
    zero = "0, or " if or_zero else ""

    def read(text: str) -> str:
        wrong = LabelError(f"write a time of {zero}{least} to {most} seconds, such as {most}s")
        try:
            value = seconds(text)
        except ValueError as fault:
            raise wrong from fault
        if value % 1 or not (least <= value <= most or (or_zero and not value)):
            raise wrong
        return str(int(value))

    return read


def literal(text: str) -> str:
    """A regular expression that matches this text and no other."""
    return _SPECIAL.sub(r"\\\1", text)


def _not_too_long(text: str) -> str:
    if len(text) > MAX_LENGTH:
        raise LabelError(f"it has {len(text)} characters; at most {MAX_LENGTH} are possible")
    return text
