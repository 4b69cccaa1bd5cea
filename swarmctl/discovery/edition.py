"""What is published at one moment, under an index that never goes backwards. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from swarmctl.discovery.endpoint import Catalogue


@dataclass(frozen=True, slots=True)
class KeyValue:
    """A Swarm config, as an entry of the key/value store."""

    key: str
    value: str  # base64, as the Engine and Consul both write it
    version: int


@dataclass(frozen=True, slots=True)
class Edition:
    """One state of everything that is published; a later one has a greater index.

    Attributes:
        catalogue: the endpoints and nodes.
        keys: the key/value store, sorted by key.
        index: what Consul calls ``X-Consul-Index``; at least 1.
        since: for each endpoint's id, the index at which it appeared.
    """

    catalogue: Catalogue
    keys: tuple[KeyValue, ...] = ()
    index: int = 1
    since: Mapping[str, int] = field(default_factory=dict, compare=False)


def follow(
    before: Edition | None, found: Catalogue, keys: tuple[KeyValue, ...], now_ms: int
) -> Edition:
    """The next edition, or the one before if nothing has changed.

    The index is the time in milliseconds, or one more than the last. A client starts over when it
    falls, so it must not fall when the process is started again, perhaps on another machine: time
    is the one thing that both know.

    Args:
        before: the edition in force; ``None`` at the start.
        found: the Swarm's catalogue now.
        keys: its key/value store now.
        now_ms: milliseconds since 1970.
    """
    if before is not None and (before.catalogue, before.keys) == (found, keys):
        return before
    index = max(now_ms, 1, before.index + 1 if before else 1)
    known = before.since if before else {}
    since = {e.id: known.get(e.id, index) for e in found.endpoints}
    return Edition(found, keys, index, since)


@dataclass(frozen=True, slots=True)
class Difference:
    """The endpoints that came and went between two editions."""

    came: tuple[str, ...]
    went: tuple[str, ...]


def difference(before: Edition | None, after: Edition) -> Difference:
    """What to log: ``name address:port on node`` of each endpoint that came or went."""
    old = _shown(before.catalogue) if before else {}
    new = _shown(after.catalogue)
    return Difference(
        tuple(sorted(new[id_] for id_ in set(new) - set(old))),
        tuple(sorted(old[id_] for id_ in set(old) - set(new))),
    )


def _shown(found: Catalogue) -> dict[str, str]:
    return {e.id: f"{e.name} {e.place} on {e.node}" for e in found.endpoints}
