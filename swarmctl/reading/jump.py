"""The setting ``ssh_jump``: through which machine SSH reaches the nodes. Pure."""

from __future__ import annotations

import re

# Its value where workers are reached through the managers.
MANAGERS = "managers"
# Nothing in it is an option of ssh, or anything to a shell.
_HOST = re.compile(r"(?:(\w[\w.-]*)@)?([A-Za-z0-9][\w.-]*)(?::(\d{1,5}))?", re.ASCII)


def jump_host(text: str) -> tuple[str, str, str]:
    """User, address and port of ``user@host:port``; ``""`` is what it leaves out.

    Raises:
        ValueError: it is no such machine.
    """
    found = _HOST.fullmatch(text)
    if not found:
        raise ValueError(
            f"ssh_jump is {text!r}; allowed: empty, managers, or a machine: user@host[:port]"
        )
    return found[1] or "", found[2], found[3] or ""
