"""The last backup of a Swarm, as a line and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from swarmctl.audit.checks.backups import OLD
from swarmctl.backup.last import Last
from swarmctl.backup.store.retention import age_in_words


def last_line(last: Last, now: datetime | None = None) -> Text:
    """``last backup: swarm_app-…, 5 h old, in s3://…; proven 3 h ago``."""
    now = now or datetime.now(UTC)
    age = now - last.at
    style = "bold red" if age > OLD else ""
    line = Text.assemble("last backup: ", (f"{age_in_words(age)} old", style))
    line.append(f", {last.name} in {last.where}; ")
    if last.proven_at is None:
        return line.append("never restored in the lab", style="yellow")
    ago = age_in_words(now - last.proven_at)
    if last.differences:
        return line.append(f"{last.proven} did not come back whole {ago} ago", style="bold red")
    same = "" if last.proven == last.name else f"{last.proven} was "
    return line.append(f"{same}proven {ago} ago", style="green")


def last_as_json(last: Last | None) -> dict[str, Any] | None:
    """The same as JSON; ``None``: none is recorded."""
    if last is None:
        return None
    proven_at = last.proven_at.isoformat() if last.proven_at else None
    return asdict(last) | {"at": last.at.isoformat(), "proven_at": proven_at}
