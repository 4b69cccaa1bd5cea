"""What a rule is: an id, a severity, and a function from a stack to hits.

A rule is written as::

    @rule("SW042", "single-replica", Severity.INFO, "one replica: an outage while it moves")
    def single_replica(stack: Stack, swarm: Context) -> Iterator[Hit]:
        ...

and registers itself; :data:`swarmctl.stack.lint.rules.RULES` has all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from swarmctl.reading.yaml_nodes import Path
from swarmctl.stack.compose.view import Stack
from swarmctl.stack.lint.snapshot import Snapshot


class Severity(IntEnum):
    """How bad it is; the order is used."""

    INFO = 0  # worth knowing
    WARNING = 1  # will hurt on some day; fails with --strict
    ERROR = 2  # does not work, or loses data

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Edit:
    """A fix: the characters from ``start`` to ``end`` of the text become ``text``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """What a rule found, and where.

    Attributes:
        path: of the key or value; in the merged stack, or in ``file`` if one is given.
        message: what is wrong and what to do.
        on_value: point to the value, not to its key.
        severity: if it is not the rule's own.
        edit: a mechanical fix.
        file: the number of the stack's file.
    """

    path: Path
    message: str
    on_value: bool = False
    severity: Severity | None = None
    edit: Edit | None = None
    file: int | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule may know beyond the file itself."""

    snapshot: Snapshot | None = None
    others: Sequence[Stack] = ()  # the other stacks linted in the same run
    exists: Callable[[str], bool] = lambda _: True  # whether a file named by the stack is there


Check = Callable[[Stack, Context], Iterable[Hit]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A registered rule."""

    id: str
    name: str
    severity: Severity
    summary: str
    check: Check

    @property
    def page(self) -> str:
        """Its page in the documentation."""
        return f"docs/lint/{self.id}.md"


# By id; filled as the modules of ``rules`` are imported.
registered: dict[str, Rule] = {}


def rule(id: str, name: str, severity: Severity, summary: str) -> Callable[[Check], Check]:  # noqa: A002 — the word for it
    """Register a function as a rule.

    Args:
        id: stable, ``SW`` and three digits.
        name: a few words with dashes.
        severity: of a hit that names none.
        summary: one line for lists.
    """

    def register(check: Check) -> Check:
        assert id not in registered, f"two rules are called {id}"
        registered[id] = Rule(id, name, severity, summary, check)
        return check

    return register
