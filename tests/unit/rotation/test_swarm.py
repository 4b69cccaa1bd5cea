"""What belongs to the Swarm: tokens, the root certificate, the unlock key."""

from __future__ import annotations

from typing import Any

import pytest

from swarmctl.errors import DeadlineExceededError, RefusedError, SwarmctlError
from swarmctl.rotation import ca, tokens, unlock_key
from swarmctl.swarm.engine import Json
from tests.unit.autolock.swarm_fake import SPEC, FakeStore, FakeSwarm
from tests.unit.autolock.test_keys import Files

TEMPLATE: Json = {"Env": ["NODE={{.Node.Hostname}}"]}
LOCKED = {**SPEC, "EncryptionConfig": {"AutoLockManagers": True}}


@pytest.fixture
def confirmed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that all managers confirm at once."""
    keys: list[str] = []

    def at_once(_shell: object, _managers: object, key: str, _timeout: float) -> None:
        keys.append(key)

    monkeypatch.setattr(unlock_key, "wait_for_managers", at_once)
    return keys


def rotate_key(swarm: FakeSwarm, store: FakeStore, *, dry_run: bool = False) -> list[str]:
    shell: Any = Files()
    return unlock_key.rotate(
        swarm, store, shell, ["mgr1"], timeout=1, dry_run=dry_run, note=lambda _: None
    )


def rotate_ca(swarm: FakeSwarm, *, dry_run: bool = False) -> list[str]:
    return ca.rotate(swarm, timeout=0, restart=False, dry_run=dry_run, note=lambda _: None)


def service(mode: Json, container: Json | None = None) -> Json:
    """A service with ports that its nodes choose."""
    ports = [{"PublishMode": "host", "TargetPort": 80}]
    template = {"ContainerSpec": container or {}}
    spec = {"Name": "shop_web", "Mode": mode, "TaskTemplate": template}
    return {"ID": "s", "Spec": {**spec, "EndpointSpec": {"Ports": ports}}}


def volume(options: Json | None) -> Json:
    return {"Mounts": [{"Type": "volume", "Source": "v", "VolumeOptions": options}]}


def test_new_tokens_change_no_setting() -> None:
    swarm = FakeSwarm(spec=dict(LOCKED), key=1)
    assert len(tokens.rotate(swarm, dry_run=False)) == 2
    assert (swarm.tokens, swarm.spec) == (1, LOCKED)


def test_a_setting_that_is_lost_is_named() -> None:
    with pytest.raises(SwarmctlError, match="Labels"):
        tokens.rotate(FakeSwarm(lose="Labels"), dry_run=False)


def test_a_dry_run_sends_nothing() -> None:
    swarm, store = FakeSwarm(spec=dict(LOCKED), key=1), FakeStore(("key1",))
    assert tokens.rotate(swarm, dry_run=True)
    assert rotate_ca(swarm, dry_run=True)
    assert rotate_key(swarm, store, dry_run=True)
    assert (swarm.sent, store.written) == ([], [])


def test_a_new_root_keeps_all_other_settings() -> None:
    swarm = FakeSwarm(spec=dict(LOCKED), key=1)
    rotate_ca(swarm)
    rotate_ca(swarm)
    ca_config = {**SPEC["CAConfig"], "ForceRotate": 2}
    assert (swarm.root, swarm.spec) == (2, {**LOCKED, "CAConfig": ca_config})


def test_a_root_is_not_rotated_while_a_node_is_down() -> None:
    swarm = FakeSwarm(nodes={"mgr1": "ready", "wkr1": "down"})
    with pytest.raises(RefusedError, match="wkr1"):
        rotate_ca(swarm)
    assert swarm.sent == []


@pytest.mark.parametrize(
    ("container", "refused"),
    [
        (TEMPLATE, True),
        ({"Hostname": "{{.Task.Name}}"}, True),
        (volume({"NoCopy": True}), True),
        (volume({"Labels": {"a": "b"}, "DriverConfig": {}}), True),
        (volume({"Labels": {"a": "b"}, "DriverConfig": {"Options": {"c": "d"}}}), False),
        (volume({"Labels": {"a": "b"}}), False),
        (volume(None), False),
        ({"Env": ["NODE=a"], "Mounts": [{"Type": "bind", "Source": "/a"}]}, False),
    ],
)
def test_a_root_is_not_rotated_where_chosen_ports_would_be_forgotten(
    container: Json, refused: bool
) -> None:
    swarm = FakeSwarm(services=[service({"Replicated": {"Replicas": 1}}, container)])
    if refused:
        with pytest.raises(RefusedError, match="shop_web"):
            rotate_ca(swarm)
    else:
        rotate_ca(swarm)
    assert swarm.root == (not refused)


@pytest.mark.parametrize("mode", [{"Replicated": {"Replicas": 0}}, {"ReplicatedJob": {}}])
def test_a_service_that_cannot_be_restarted_does_not_hinder_a_new_root(mode: Json) -> None:
    """Broken: its restart is waited for, and never begins."""
    swarm = FakeSwarm(services=[service(mode, TEMPLATE)])
    rotate_ca(swarm)
    assert swarm.root == 1


@pytest.mark.parametrize(
    ("mode", "state", "ports", "found"),
    [
        ("Replicated", "running", None, True),
        ("Global", "running", {}, True),
        ("Global", "running", {"Ports": [{"PublishedPort": 32768}]}, False),
        ("Global", "starting", None, False),
        ("ReplicatedJob", "running", None, False),
    ],
)
def test_a_service_whose_ports_are_forgotten_is_named_and_no_other(
    mode: str, state: str, ports: Json | None, found: bool
) -> None:
    """Broken: clients do not find it, or a service is restarted for nothing."""
    task = {"ServiceID": "s", "Status": {"State": state, "PortStatus": ports}}
    swarm, notes = FakeSwarm(services=[service({mode: {"Replicas": 1}})], tasks=[task]), list[str]()
    ca.rotate(swarm, timeout=0, restart=False, dry_run=False, note=notes.append)
    assert swarm.root == 1
    assert ["docker service update --force shop_web" in note for note in notes] == [True] * found
    would = ca.rotate(swarm, timeout=0, restart=True, dry_run=True, note=notes.append)
    assert ("rolling restart: shop_web" in would) == found


def test_a_root_rotation_under_way_is_waited_for_and_not_begun_again() -> None:
    swarm = FakeSwarm(in_progress=True)
    with pytest.raises(DeadlineExceededError, match="have not finished"):
        rotate_ca(swarm)
    assert swarm.sent == []


def test_the_former_unlock_key_stays_until_all_managers_confirm(confirmed: list[str]) -> None:
    swarm, store = FakeSwarm(spec=dict(LOCKED), key=7), FakeStore(("key7",))
    rotate_key(swarm, store)
    assert store.written == [("key1", "key7"), ("key1",)]
    assert confirmed == ["key1"]
    assert swarm.spec == LOCKED


def test_an_interrupted_rotation_of_the_unlock_key_is_finished(confirmed: list[str]) -> None:
    swarm, store = FakeSwarm(spec=dict(LOCKED), key=8), FakeStore(("key7",))
    rotate_key(swarm, store)
    assert store.written == [("key8", "key7"), ("key8",)]
    assert confirmed == ["key8"]
    assert swarm.sent == []


def test_an_unlock_key_is_not_rotated_while_a_manager_is_down(confirmed: list[str]) -> None:
    swarm = FakeSwarm(spec=dict(LOCKED), key=7, nodes={"mgr1": "down"})
    with pytest.raises(RefusedError, match="mgr1"):
        rotate_key(swarm, FakeStore(("key7",)))
    with pytest.raises(RefusedError, match="not autolocked"):
        rotate_key(FakeSwarm(), FakeStore())
    assert confirmed == []
