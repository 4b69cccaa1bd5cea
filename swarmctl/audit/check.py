"""What a check found: one line with its remedy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One line of an audit.

    Attributes:
        name: of the check; several lines may have it.
        ok: ``False``: this would keep the Swarm from failing over; ``None``: it cannot be known.
        detail: what was found, and where.
        remedy: what to do; of a line that is ``ok`` it is advice, or ``""``.
    """

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""
