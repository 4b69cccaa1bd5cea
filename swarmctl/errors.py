"""The errors meant for a person, and their exit codes.

Every error a user may meet is a ``SwarmctlError``: one message that says what happened and where,
and a hint that says what to do. ``swarmctl.cli.main.run`` turns it into two lines and an exit code.
"""

from __future__ import annotations

from enum import IntEnum
from importlib.util import find_spec


class Exit(IntEnum):
    """The process exit codes of ``swarmctl``; documented in README.md."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    REVERT_FAILED = 4
    INCONCLUSIVE = 5
    INTERRUPTED = 130


class SwarmctlError(Exception):
    """Base of all errors meant for a person.

    Args:
        message: what happened and where (host, service, file:line).
        hint: what to do next; may be empty.
    """

    exit_code: Exit = Exit.FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(SwarmctlError):
    """The input names something that does not exist or is not allowed."""

    exit_code = Exit.USAGE


class RefusedError(SwarmctlError):
    """A guard forbids the action."""

    exit_code = Exit.REFUSED


class DeadlineExceededError(SwarmctlError):
    """A wait ran out of time; the message says what was awaited and what was seen last."""


def require_extra(extra: str, what: str, *modules: str) -> None:
    """Refuse to begin without the packages of an optional dependency group.

    Args:
        extra: the group's name in ``pyproject.toml``.
        what: what needs them.
        modules: their modules; only looked for, not imported.

    Raises:
        SwarmctlError: one is not installed; the hint installs them.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise SwarmctlError(
            f"{what} needs packages that are not installed: {', '.join(missing)}",
            f"make setup; or: pip install 'swarmctl[{extra}]'",
        )
