"""Which Swarm a command means."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from swarmctl.cloud.instances import Cloud, Instance
from swarmctl.cluster import parse_host, resolve
from swarmctl.errors import SwarmctlError, UsageError


def instance(name: str, role: str = "manager", state: str = "running", **more: str) -> Instance:
    fields: dict[str, Any] = {
        "id": f"i-{name}",
        "private_ip": "10.42.0.4",
        "public_ip": "",
        "az": "eu-central-1a",
        "ssh_user": "admin",
        "cluster": "swarm_app",
    }
    return Instance(name=name, role=role, state=state, **(fields | more))


class FakeCloud:
    region = "eu-central-1"

    def __init__(self, *instances: Instance) -> None:
        self.all = instances

    def clusters(self) -> tuple[str, ...]:
        return tuple(sorted({i.cluster for i in self.all}))

    def instances(self, cluster: str) -> tuple[Instance, ...]:
        return tuple(i for i in self.all if i.cluster == cluster)


def among(*instances: Instance) -> Any:
    return lambda: cast(Cloud, FakeCloud(*instances))


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWARMCTL_STATE", str(tmp_path))
    monkeypatch.delenv("SWARMCTL_CLUSTER", raising=False)
    return tmp_path


def test_the_only_cluster_is_meant_and_only_running_managers_are_asked(state: Path) -> None:
    target = resolve(
        cloud=among(
            instance("mgr1", public_ip="198.51.100.7"),
            instance("mgr2", state="stopped"),
            instance("wkr1", role="worker"),
        )
    )
    assert target.cluster == "swarm_app"
    assert len(target.instances) == 3
    (endpoint,) = target.endpoints
    assert endpoint.address == "198.51.100.7"
    assert endpoint.user == "admin"
    assert endpoint.host_key_alias == "i-mgr1"
    assert endpoint.key_file == state / "clusters/swarm_app/id_ed25519"
    assert endpoint.known_hosts == (state / "clusters/swarm_app/known_hosts",)


def test_several_clusters_are_listed() -> None:
    both = among(instance("mgr1"), instance("x", cluster="blue"))
    with pytest.raises(UsageError, match="several clusters in eu-central-1: blue, swarm_app"):
        resolve(cloud=both)
    assert resolve("blue", cloud=both).cluster == "blue"


def test_the_environment_names_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARMCTL_CLUSTER", "blue")
    both = among(instance("mgr1"), instance("x", cluster="blue"))
    assert resolve(cloud=both).cluster == "blue"


def test_an_unknown_cluster_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        resolve("swarm_ap", cloud=among(instance("mgr1")))
    assert "did you mean 'swarm_app'" in caught.value.hint


@pytest.mark.parametrize("name", ["*", "swarm_ap?", "..", "", "a/../b", "swarm_app\n"])
def test_a_name_that_could_reach_another_cluster_is_refused_before_ec2_is_asked(name: str) -> None:
    with pytest.raises(UsageError, match="is no name of a cluster"):
        resolve(name, cloud=lambda: cast(Cloud, object()))


def test_a_tag_that_is_no_name_does_not_become_a_path() -> None:
    with pytest.raises(UsageError, match=r"'\.\./x' is no name of a cluster"):
        resolve(cloud=among(instance("mgr1", cluster="../x")))


def test_no_cluster_at_all_says_how_to_make_one() -> None:
    with pytest.raises(SwarmctlError, match="there is no cluster") as caught:
        resolve(cloud=among())
    assert "site.yml" in caught.value.hint


def test_managers_that_are_stopped_are_named_with_their_state() -> None:
    with pytest.raises(SwarmctlError, match=r"mgr1 is stopped") as caught:
        resolve(cloud=among(instance("mgr1", state="stopped")))
    assert "start-instances --instance-ids i-mgr1" in caught.value.hint


@pytest.mark.parametrize(
    ("url", "address", "user", "port", "alias"),
    [
        ("ssh://admin@10.0.0.1", "10.0.0.1", "admin", 22, "10.0.0.1"),
        ("ssh://admin@10.0.0.1:2222/", "10.0.0.1", "admin", 2222, "[10.0.0.1]:2222"),
        ("ssh://root@[fd00::1]", "fd00::1", "root", 22, "fd00::1"),
    ],
)
def test_a_host_url_is_read(url: str, address: str, user: str, port: int, alias: str) -> None:
    endpoint = parse_host(url)
    assert (endpoint.address, endpoint.user, endpoint.port) == (address, user, port)
    assert endpoint.host_key_alias == alias


@pytest.mark.parametrize(
    "url", ["10.0.0.1", "tcp://10.0.0.1:2375", "ssh://", "ssh://a@b:x", "ssh://a@b/c", "unix://x"]
)
def test_another_host_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="cannot read --host"):
        parse_host(url)


def test_the_engine_of_this_machine_needs_no_cloud() -> None:
    assert resolve(host="unix:///var/run/docker.sock").endpoints[0].local


def test_a_host_that_a_cluster_knows_is_reached_with_its_key(state: Path) -> None:
    folder = state / "clusters/swarm_app"
    folder.mkdir(parents=True)
    (folder / "id_ed25519").write_text("key")
    (folder / "known_hosts").write_text(
        "10.0.0.1 ssh-ed25519 "
        "AAAAC3NzaC1lZDI1NTE5AAAAIMzk1cFDZ5Ecd1HSdHL1jYtZ8kTjhCqjqGQyXUxGKD6n\n"
    )
    assert parse_host("ssh://a@10.0.0.1").key_file == folder / "id_ed25519"
    assert parse_host("ssh://a@10.0.0.2").key_file is None
    assert parse_host("ssh://a@10.0.0.2").clusters == (folder,)
