"""``--fix``: mechanical fixes as a patch. Nothing else in the file changes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from swarmctl.stack.compose.document import encoding
from swarmctl.stack.lint.engine import Report, is_accepted
from swarmctl.stack.lint.rule import Edit


@dataclass(frozen=True, slots=True)
class Fixed:
    """A file's text before and after."""

    before: str
    after: str
    data: bytes  # what to write
    count: int

    def patch(self, label: str) -> str:
        """A unified diff that ``patch -p1`` and ``git apply`` take."""
        label = label.lstrip("/")
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            f"a/{label}",
            f"b/{label}",
        )
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in lines
        )


def fix_file(report: Report, environment: Mapping[str, str]) -> Fixed | None:
    """Apply the fixes of a report's findings, or ``None`` if there are none.

    A fix is left out if it would make ``docker stack config`` refuse an accepted file.
    """
    edits = _separate(f.edit for f in report.findings if f.edit)
    if not edits or report.source.lines:
        return None
    bom, name = encoding(report.source.data)

    def encoded(chosen: list[Edit]) -> bytes:
        return bom + apply(report.text, chosen).encode(name)

    def is_safe(chosen: list[Edit]) -> bool:
        return not report.accepted or is_accepted(encoded(chosen), report.source, environment)

    chosen = edits
    if not is_safe(edits):
        chosen = []
        for edit in edits:
            if is_safe([*chosen, edit]):
                chosen.append(edit)
    if not chosen:
        return None
    return Fixed(report.text, apply(report.text, chosen), encoded(chosen), len(chosen))


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits made; they must not overlap."""
    for edit in sorted(edits, key=lambda e: e.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _separate(edits: Iterable[Edit | None]) -> list[Edit]:
    """In the order of the text, each once, the later of two that overlap left out."""
    chosen: list[Edit] = []
    for edit in sorted({e for e in edits if e}, key=lambda e: (e.start, e.end)):
        if not chosen or edit.start >= chosen[-1].end:
            chosen.append(edit)
    return chosen
