"""Clusters whose machines are not EC2's: found by record, and what needs EC2 is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swarmctl.cloud.instances import Instance
from swarmctl.cluster import endpoints, machines_of, resolve
from swarmctl.discovery.check.find import behind_load_balancer, in_cloud_map
from swarmctl.discovery.listeners.load_balancer.urls import probed_urls
from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.host_keys import record_from_file

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIO2b8N0vQ1JxkT0cWlOaBtT5wUQmYkHf7p2rXc9yZ3aD"


@pytest.fixture(autouse=True)
def no_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer that has never heard of AWS."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION",
                 "AWS_DEFAULT_REGION", "SWARMCTL_CLUSTER"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("SWARMCTL_STATE", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))


def machine(name: str, role: str, number: int, **more: Any) -> dict[str, Any]:
    known = {"name": name, "id": name, "role": role, "az": "room1", "user": "admin", "port": 22}
    where = {"address": f"198.51.100.{number}", "private_ip": f"10.0.0.{number}"}
    return {**known, **where, "key": "", "jump": ""} | more


@pytest.fixture
def shop(tmp_path: Path) -> Callable[..., None]:
    def write(cluster: str = "shop", **more: Any) -> None:
        folder = tmp_path / "clusters" / cluster
        folder.mkdir(parents=True)
        found = [
            machine("shop-m", "manager", 1, port=2222, key="~/.ssh/shop"),
            machine("shop-w", "worker", 2, **more),
        ]
        (folder / "machines.json").write_text(json.dumps(found))

    return write


def test_the_recorded_managers_are_asked_without_aws(
    shop: Callable[..., None], tmp_path: Path
) -> None:
    shop()
    for name in ("shop", None):
        target = resolve(name)
        assert (target.cluster, target.cloud) == ("shop", None)
        (manager,) = target.endpoints
        assert (manager.address, manager.port, manager.user) == ("198.51.100.1", 2222, "admin")
        assert manager.host_key_alias == "shop-m"
        assert manager.key_file == tmp_path / ".ssh" / "shop"
        assert target.nodes()["shop-w"].key_file is None
    assert target.rules() == {}


def test_of_several_recorded_clusters_one_must_be_named(shop: Callable[..., None]) -> None:
    shop()
    shop("blue")
    with pytest.raises(UsageError, match="there are several clusters in the inventory"):
        resolve()
    assert resolve("blue").cluster == "blue"


def test_without_a_record_the_missing_credentials_are_reported() -> None:
    with pytest.raises(SwarmctlError, match="AWS"):
        resolve("shop")


def test_a_damaged_record_says_how_to_get_a_new_one(
    shop: Callable[..., None], tmp_path: Path
) -> None:
    shop()
    (tmp_path / "clusters/shop/machines.json").write_text('[{"name": "x"}]')
    with pytest.raises(SwarmctlError, match=r"cannot read .*machines\.json") as caught:
        resolve("shop")
    assert "playbooks/swarm.yml" in caught.value.hint


def test_power_is_not_switched_and_nothing_is_looked_for_in_aws(shop: Callable[..., None]) -> None:
    shop()
    machines = machines_of("shop")
    for act in (machines.stop, machines.start, machines.reboot, machines.terminate):
        with pytest.raises(SwarmctlError, match="shop-w is no instance of EC2") as caught:
            act("shop-w")
        assert "engine-stop" in caught.value.hint
    assert all(i.unstoppable for i in machines.instances("shop"))
    assert behind_load_balancer("shop") == ((), ())
    assert in_cloud_map("shop", "id", None) == ()
    assert probed_urls("shop", [None]) == {}  # type: ignore[list-item]  # not looked at


def test_workers_are_reached_through_the_managers_that_run(
    shop: Callable[..., None],
) -> None:
    shop(jump="managers")
    instances = machines_of("shop").instances("shop")
    where = endpoints(instances)
    assert where["shop-m"].jumps == ()
    assert where["shop-w"].jumps == (where["shop-m"],)
    stopped = [replace(i, state="stopped") if i.role == "manager" else i for i in instances]
    assert endpoints(stopped)["shop-w"].jumps == ()


def test_a_bastion_is_known_under_its_address_and_may_have_a_key_of_the_users(
    shop: Callable[..., None], tmp_path: Path
) -> None:
    shop(jump="ops@bastion.example:2200")
    (jump,) = endpoints(machines_of("shop").instances("shop"))["shop-w"].jumps
    assert (jump.user, jump.address, jump.port) == ("ops", "bastion.example", 2200)
    assert (jump.host_key_alias, jump.own_keys) == ("[bastion.example]:2200", True)
    assert tmp_path / ".ssh" / "known_hosts" in jump.known_hosts


def test_a_way_that_is_no_machine_is_named_with_its_node(shop: Callable[..., None]) -> None:
    """It may come from a tag that somebody has set."""
    shop(jump="ops@bastion:ssh")
    with pytest.raises(UsageError, match=r"shop-w: ssh_jump is 'ops@bastion:ssh'; allowed"):
        endpoints(machines_of("shop").instances("shop"))


def test_host_keys_are_taken_from_a_file_that_the_user_trusts(
    shop: Callable[..., None], tmp_path: Path
) -> None:
    shop()
    given = tmp_path / "given"
    given.write_text(f"[198.51.100.1]:2222 ssh-ed25519 {KEY}\n")
    said: list[str] = []

    def say(instance: Instance, keys: object) -> None:
        del keys
        said.append(instance.name)

    with pytest.raises(UsageError, match=r"has no host key of shop-w \(198\.51\.100\.2\)"):
        record_from_file(given, machines_of("shop").instances("shop"), say)
    assert said == ["shop-m"]
    recorded = (tmp_path / "clusters/shop/known_hosts").read_text()
    assert recorded == f"shop-m ssh-ed25519 {KEY}\n"


@pytest.mark.parametrize("content", [b"198.51.100.1 ssh-ed25519 A\n", b"\xff\xfe", None])
def test_a_file_that_is_no_known_hosts_is_named(
    shop: Callable[..., None], tmp_path: Path, content: bytes | None
) -> None:
    shop()
    given = tmp_path / "given"
    if content is not None:
        given.write_bytes(content)
    with pytest.raises(UsageError, match=r"cannot read .*given"):
        record_from_file(given, machines_of("shop").instances("shop"), lambda *_: None)
