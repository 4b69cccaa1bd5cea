"""``# swarmctl: disable=SW042,SW060``: on a finding's line, above it, or at the file's head."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_COMMENT = re.compile(r"(?:^|\s)#\s*swarmctl:\s*disable\s*=\s*(.*)", re.IGNORECASE)
_ID = re.compile(r"[A-Za-z]+[0-9]+\Z")


@dataclass(frozen=True, slots=True)
class Disabled:
    """Which rules are silenced where."""

    everywhere: frozenset[str]
    lines: dict[int, frozenset[str]]
    written: tuple[tuple[int, str], ...]  # line and id of each, as they stand in the file

    def covers(self, rule: str, line: int) -> bool:
        """Whether a finding of a rule at a line is not to be shown."""
        return rule in self.everywhere or rule in self.lines.get(line, frozenset())


def read(text: str) -> Disabled:
    """Find the comments of a file."""
    everywhere: set[str] = set()
    lines: dict[int, set[str]] = {}
    written: list[tuple[int, str]] = []
    waiting: set[str] = set()  # from comment lines, for the next line that is none
    head = True
    for number, line in enumerate(text.splitlines(), start=1):
        ids = list(_ids(line))
        written += [(number, id_) for id_ in ids]
        if _is_content(line):
            lines.setdefault(number, set()).update(ids, waiting)
            waiting, head = set(), False
        elif head:
            everywhere.update(ids)
        else:
            waiting.update(ids)
    frozen = {number: frozenset(ids) for number, ids in lines.items() if ids}
    return Disabled(frozenset(everywhere), frozen, tuple(written))


def _is_content(line: str) -> bool:
    stripped = line.strip()
    return bool(stripped) and not stripped.startswith(("#", "---", "%"))


def _ids(line: str) -> Iterator[str]:
    found = _COMMENT.search(line)
    for word in re.split(r"[,\s]+", found[1]) if found else ():
        if not _ID.match(word):
            return  # the rest is a remark
        yield word.upper()
