"""What the check of the network found."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts
from swarmctl.network.finding import Severity

NAME = "network"
FINE = "as the playbooks set it, and every published port answers"


def check(facts: Facts) -> Iterator[Check]:
    """The findings of `swarmctl status --deep`; its warnings are advice here."""
    if facts.network is None:
        yield Check(NAME, None, "not checked", "swarmctl audit --deep")
    for found in facts.network or ():
        ok = found.severity is not Severity.ERROR
        yield Check(NAME, ok, f"{found.place}: {found.what}", found.remedy)
