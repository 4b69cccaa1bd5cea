"""What ``swarmctl audit`` prints: a line for each finding."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from rich.text import Text

from swarmctl.audit.check import Check
from swarmctl.reading.texts import clean

FAILOVER = "would keep it from failing over"
SECURITY = "would let somebody in"


def audit_lines(
    checks: Iterable[Check], accepted: Collection[str] = (), danger: str = FAILOVER
) -> Text:
    """The lines, and a sum; ``✗`` fails, ``!`` is advice, ``?`` is not known.

    Args:
        checks: all of them.
        accepted: names of checks that do not fail.
        danger: what those that fail would do.
    """
    listed = tuple(checks)
    width = max((len(check.name) for check in listed), default=0)
    return Text("\n").join([*_lines(listed, accepted, width), _sum(listed, accepted, danger)])


def _lines(checks: Iterable[Check], accepted: Collection[str], width: int) -> Iterator[Text]:
    for check in checks:
        sign, style = _sign(check, accepted)
        detail = clean(check.detail)  # it quotes nodes and registries
        line = Text.assemble((f"{sign} ", style), (f"{check.name:{width}}  ", "bold"), detail)
        yield line.append(f"  → {clean(check.remedy)}", "cyan") if check.remedy else line


def _sign(check: Check, accepted: Collection[str]) -> tuple[str, str]:
    if check.ok is False:
        return ("!", "yellow") if check.name in accepted else ("✗", "bold red")
    if check.ok is None:
        return "?", "yellow"
    return ("!", "yellow") if check.remedy else ("✓", "green")


def _sum(checks: Collection[Check], accepted: Collection[str], danger: str) -> Text:
    wrong = sum(check.ok is False and check.name not in accepted for check in checks)
    unknown = sum(check.ok is None for check in checks)
    tail = f"; {unknown} could not be checked" if unknown else ""
    if wrong:
        return Text(f"{wrong} {danger}{tail}", style="bold red")
    return Text(f"nothing found that {danger}{tail}", style="bold")
