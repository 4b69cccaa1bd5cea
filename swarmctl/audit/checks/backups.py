"""How old the last backup of the Swarm's state is, and whether one was ever restored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts
from swarmctl.backup.store.retention import age_in_words

NAME = "backups"
FINE = "the last backup is recent and was restored in the lab, or backups are not used"

OLD = timedelta(days=7)
PROOF_OLD = timedelta(days=30)
_TAKE = "ansible-playbook playbooks/backup.yml"
_PROVE = "ansible-playbook playbooks/verify_backup.yml"


def check(facts: Facts) -> Iterator[Check]:
    """A Swarm whose managers are lost comes back from nothing else."""
    last = facts.backup
    if last is None:
        return
    age = facts.now - last.at
    if age > OLD:
        yield Check(NAME, False, f"the last backup is {age_in_words(age)} old", _TAKE)
    if last.proven_at is None:
        yield Check(NAME, True, "no backup was ever restored in the lab", _PROVE)
    elif last.differences:
        detail = f"{last.proven} did not come back whole: {last.differences} differences"
        yield Check(NAME, False, detail, f"{_TAKE}; {_PROVE}")
    elif facts.now - last.proven_at > PROOF_OLD:
        proof = age_in_words(facts.now - last.proven_at)
        yield Check(NAME, True, f"the last proof of a backup is {proof} old", _PROVE)
