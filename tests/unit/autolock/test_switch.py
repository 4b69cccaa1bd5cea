from __future__ import annotations

import pytest

from swarmctl.autolock.switch import turn_on
from swarmctl.errors import SwarmctlError
from tests.unit.autolock.swarm_fake import SPEC, FakeStore, FakeSwarm


def test_autolock_is_the_only_setting_that_changes_and_its_key_is_stored() -> None:
    swarm, store = FakeSwarm(), FakeStore()
    lines = turn_on(swarm, store, dry_run=False)
    assert lines == ["managers: autolocked", "unlock key: kept in the store"]
    assert swarm.spec == {**SPEC, "EncryptionConfig": {"AutoLockManagers": True}}
    assert store.keys == ("key1",)


def test_a_second_time_changes_nothing() -> None:
    swarm, store = FakeSwarm(), FakeStore()
    turn_on(swarm, store, dry_run=False)
    assert turn_on(swarm, store, dry_run=True) == []
    assert turn_on(swarm, store, dry_run=False) == []
    assert len(swarm.sent) == len(store.written) == 1


def test_a_key_that_nobody_stored_is_stored() -> None:
    swarm, store = FakeSwarm(), FakeStore()
    turn_on(swarm, FakeStore(), dry_run=False)
    assert turn_on(swarm, store, dry_run=True) == ["unlock key: kept in the store"]
    assert not store.keys
    assert turn_on(swarm, store, dry_run=False) == ["unlock key: kept in the store"]
    assert store.keys == ("key1",)


def test_the_former_key_of_an_interrupted_rotation_stays() -> None:
    swarm, store = FakeSwarm(), FakeStore()
    turn_on(swarm, store, dry_run=False)
    swarm.key = 9
    turn_on(swarm, store, dry_run=False)
    assert store.keys == ("key9", "key1")


def test_managers_are_not_left_locked_without_a_stored_key() -> None:
    swarm = FakeSwarm()
    with pytest.raises(SwarmctlError):
        turn_on(swarm, FakeStore(broken=True), dry_run=False)
    assert swarm.spec == SPEC
