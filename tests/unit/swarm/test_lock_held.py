"""While a lock is held, it is renewed where its owner has a connection for that."""

from __future__ import annotations

import pytest

from swarmctl.swarm import lock
from tests.unit.engine_fake import FakeEngine

ME = lock.Owner("ann", "laptop", 7, "rebalance")


def test_a_lock_that_is_held_is_renewed_until_it_is_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake, ended = FakeEngine(), list[str]()
    monkeypatch.setattr(lock, "renewing", lambda _, lock_id: lambda: ended.append(lock_id))
    with lock.held(fake, lock.CHAOS, 60, ME, renewer=fake):
        found = lock.find(fake, lock.CHAOS)
        assert found is not None
        assert (found.renewed, ended) == (found.since, [])
    assert ended == [found.id]
    with lock.held(fake, lock.CHAOS, 60, ME):
        found = lock.find(fake, lock.CHAOS)
        assert found is not None
        assert found.renewed is None
