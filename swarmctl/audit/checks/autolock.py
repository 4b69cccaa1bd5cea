"""Managers that stay locked after a restart."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts

NAME = "autolock"
FINE = "managers that restart rejoin: they are not locked, or the key is stored"


def check(facts: Facts) -> Iterator[Check]:
    """Where the key is stored by other means than ours, only the user knows."""
    if facts.autolock is None:
        yield Check(
            NAME, None, "the managers do not tell whether they are autolocked", "docker info"
        )
    elif facts.autolock and facts.unlock_key_stored is None:
        yield Check(
            NAME,
            None,
            "managers are autolocked: one that restarts waits for the key, and nothing tells where "
            "it is stored",
            "store it: swarmctl autolock on; or, if you keep it elsewhere, give "
            "--unlock-key-file FILE or --unlock-key-stored",
        )
    elif facts.autolock and not facts.unlock_key_stored:
        detail = "managers are autolocked, and the stored key is not the Swarm's"
        yield Check(NAME, False, detail, "store it anew: swarmctl autolock on")
