"""What the commands say about a lab that is not up."""

import os
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from ipaddress import IPv4Network
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import docker
import pytest

from swarmctl.cli import main as cli
from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.lab import instances, lab, machine, network
from swarmctl.lab.host.addresses import Taken
from swarmctl.lab.paths import LabPaths, Record, held


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The containers of every lab; no lab has files."""
    found: dict[str, str] = {}
    monkeypatch.setattr("swarmctl.lab.paths.ROOT", tmp_path)
    monkeypatch.setattr(lab, "engine", lambda: None)
    monkeypatch.setattr(machine, "states", lambda _client, _lab: found)
    monkeypatch.setattr(lab, "balancer_states", lambda _client, _lab: {})
    return found


@pytest.fixture
def other(machines: dict[str, str]) -> Iterator[None]:
    """Another lab, which is up."""
    paths = LabPaths("other")
    paths.keep(Record("LAB1", "secret", "10.42.0.0/16", pid=7, port=8))
    with held(paths.serve_lock):
        yield


@pytest.mark.parametrize("command", ["status", "env", "logs"])
def test_an_unknown_lab_is_an_error_that_lists_the_known_ones(
    command: str, other: None, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["lab", command, "--name", "otter", *(["wkr1"] if command == "logs" else [])]
    assert cli.main(words) == 2
    seen = capsys.readouterr().err
    assert "lab otter is not up; labs that are up: other" in seen
    assert "swarmctl lab up --name otter" in seen


def test_machines_left_behind_are_told_and_are_an_error(
    machines: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machines["i-1"] = "exited"
    monkeypatch.setattr(lab, "_mirror_state", lambda _client, _name: "")
    assert cli.main(["lab", "status", "--name", "mine"]) == 1
    assert "1 machine(s) left behind: swarmctl lab down --name mine" in capsys.readouterr().out


def test_the_environment_has_the_labs_own_key_and_addresses(other: None) -> None:
    variables = lab.environment("other")
    assert variables["AWS_ACCESS_KEY_ID"] == "LAB1"
    assert variables["AWS_SECRET_ACCESS_KEY"] == "secret"
    assert variables["SWARMCTL_VPC_CIDR"] == "10.42.0.0/16"
    assert variables["SWARMCTL_NODE_AWS_ENDPOINT_URL"] == "http://169.254.170.1"


def test_labs_started_at_once_choose_different_keys_and_addresses(
    machines: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Taken(IPv4Network("10.42.0.0/16"), "a network")
    monkeypatch.setattr(lab, "taken_here", lambda _client, _lab: (network,))
    records = []
    for name in ("one", "two"):
        lab._choose(cast(docker.DockerClient, None), LabPaths(name), Record())
        records.append(LabPaths(name).recorded())
    assert [record.vpc_cidr for record in records] == ["10.43.0.0/16", "10.44.0.0/16"]
    assert records[0].secret != records[1].secret
    assert records[0].key_id != records[1].key_id


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_start_that_is_interrupted_removes_all_it_has_started_whatever_comes_next(
    first: signal.Signals, machines: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: a second Ctrl-C, or SIGTERM, leaves a mirror and a network that nobody knows."""
    removed: list[str] = []

    def start_mirror(*_: object) -> None:
        os.kill(os.getpid(), first)

    def remove_everything(_client: object, _paths: object, keep: str = "") -> None:
        if keep:  # not the removal before the start
            os.kill(os.getpid(), signal.SIGINT)
            removed.append("all")

    monkeypatch.setattr(lab, "require_extra", lambda *_: None)
    monkeypatch.setattr(lab, "ensure_images", lambda *_: SimpleNamespace(registry=""))
    monkeypatch.setattr(lab, "_boots_here", lambda _: True)
    monkeypatch.setattr(network, "start_mirror", start_mirror)
    monkeypatch.setattr(lab, "_remove_everything", remove_everything)
    with pytest.raises(KeyboardInterrupt):
        lab.up("mine", lambda _: nullcontext(), lambda _: None)
    assert removed == ["all"]


def test_a_lab_whose_directory_is_elsewhere_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: a directory that was moved to a larger disk and linked makes ``lab down`` fail."""
    disk, state = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    state.mkdir()
    (state / "id_ed25519").touch()
    (disk / "lab.json").touch()
    (disk / "state").symlink_to(state)
    monkeypatch.setattr("swarmctl.lab.paths.ROOT", tmp_path)
    (tmp_path / "mine").symlink_to(disk)
    monkeypatch.setattr(network, "remove_unused", lambda *_, **__: None)
    client = SimpleNamespace(api=SimpleNamespace(containers=lambda **_: []))
    lab._remove_everything(cast(docker.DockerClient, client), LabPaths("mine"))
    assert not (tmp_path / "mine").is_symlink()
    assert list(disk.iterdir()) == []
    assert list(state.iterdir()) == [state / "id_ed25519"]  # what a link points to is the user's


def test_a_lab_of_another_version_is_told_to_start_again(other: None) -> None:
    LabPaths("other").record.write_text('{"pid": 7, "port": 8}')
    with pytest.raises(SwarmctlError, match="another version"):
        lab.environment("other")


def test_an_api_that_does_not_answer_is_one_short_error(other: None) -> None:
    with pytest.raises(SwarmctlError, match="the API of the lab other failed") as caught:
        instances.listed("other")
    assert not isinstance(caught.value, UsageError)
