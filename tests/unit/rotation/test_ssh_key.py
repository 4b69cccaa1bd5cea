"""An SSH key's rotation can be stopped anywhere: the nodes always accept the recorded key."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import paramiko
import pytest

from swarmctl.cloud.instances import Instance
from swarmctl.cluster import Target
from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.rotation import ssh_key
from swarmctl.swarm.ssh import Endpoint

BLOB = re.compile(r"grep -qs?F '?([A-Za-z0-9+/=]+)")


class Stopped(Exception):  # noqa: N818 - no error
    """The process ends here."""


def instance(name: str, state: str = "running") -> Instance:
    return Instance(f"i-{name}", name, "worker", state, "10.0.0.1", "", "a", "admin", "shop")


def blob(key: Path) -> str:
    return paramiko.PKey.from_path(key).get_base64()


class World:
    """Two nodes, the keys that they accept, and EC2's key pair. ``left``: steps until it stops."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.key = folder / "clusters" / "shop" / "id_ed25519"
        self.key.parent.mkdir(parents=True)
        argv = [
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            "shop_key",
            "-f",
            str(self.key),
        ]
        subprocess.run(argv, check=True)
        self.accepted = {name: {blob(self.key)} for name in ("wkr1", "wkr2")}
        self.pair = ""
        self.left = 1000
        monkeypatch.setenv("SWARMCTL_STATE", str(folder))
        for name in ("_on_all", "_require_login", "_require_refusal", "_swap"):
            monkeypatch.setattr(ssh_key, name, self._counted(getattr(self, name, None), name))

    def _counted(self, fake: Any, name: str) -> Callable[..., Any]:
        step = fake or getattr(ssh_key, name)

        def counted(*given: Any) -> Any:
            self._step()
            done = step(*given)
            self._step()
            return done

        return counted

    def _step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Stopped

    def _on_all(self, _target: Target, key: Path, script: Callable[[str], str]) -> None:
        text = script("admin")
        match = BLOB.search(text)
        assert match
        for keys in self.accepted.values():
            assert blob(key) in keys
            (keys.discard if "mv " in text else keys.add)(match[1])

    def _require_login(self, _nodes: Mapping[str, Endpoint], key: Path) -> None:
        assert all(blob(key) in keys for keys in self.accepted.values())

    def _require_refusal(self, _nodes: Mapping[str, Endpoint], key: Path) -> None:
        assert not any(blob(key) in keys for keys in self.accepted.values())

    def replace_key_pair(self, _cluster: str, public: str) -> list[str]:
        self.pair, before = public.split()[1], self.pair
        return ["shop_key"] if before != self.pair else []

    def rotate(self, *, stop_after: int = 1000, dry_run: bool = False, off: str = "") -> list[str]:
        self.left = stop_after
        cloud: Any = self
        instances = (instance("wkr1"), instance("wkr2", off or "running"))
        target = Target((), "shop", instances, cloud)
        return ssh_key.rotate(target, dry_run=dry_run, note=lambda _: None)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def require_one_new_key(world: World, old: str) -> None:
    new = blob(world.key)
    assert new != old
    assert world.pair == new
    assert list(world.accepted.values()) == [{new}, {new}]
    assert sorted(p.name for p in world.key.parent.iterdir()) == ["id_ed25519", "id_ed25519.pub"]
    assert world.key.with_name("id_ed25519.pub").read_text().split()[1:] == [new, "shop_key"]


def test_the_new_key_is_the_only_one_everywhere(world: World) -> None:
    old = blob(world.key)
    assert len(world.rotate()) == 3
    require_one_new_key(world, old)


@pytest.mark.parametrize("step", range(1, 13))
def test_it_can_be_stopped_at_any_step(world: World, step: int) -> None:
    old = blob(world.key)
    with pytest.raises(Stopped):
        world.rotate(stop_after=step)
    assert all(blob(world.key) in keys for keys in world.accepted.values())
    world.rotate()
    require_one_new_key(world, old)


def test_it_can_be_stopped_between_the_two_files_of_the_pair(world: World) -> None:
    old = blob(world.key)
    with pytest.raises(Stopped):
        world.rotate(stop_after=5)  # before the swap
    world.key.with_name("id_ed25519.former").hardlink_to(world.key)
    world.key.with_name("id_ed25519.new").replace(world.key)
    world.rotate()
    require_one_new_key(world, old)


def test_a_node_that_does_not_run_would_keep_the_old_key(world: World) -> None:
    with pytest.raises(RefusedError, match="wkr2 is stopped"):
        world.rotate(off="stopped")
    assert not world.pair


def test_a_dry_run_changes_nothing(world: World) -> None:
    old = blob(world.key)
    assert world.rotate(dry_run=True)
    assert (blob(world.key), world.pair) == (old, "")


def test_the_scripts_keep_all_other_keys(tmp_path: Path) -> None:
    """Broken: the file of accepted keys is cut, and nobody can log in any more."""
    file = tmp_path / ".ssh" / "authorized_keys"
    file.parent.mkdir()
    file.write_text("ssh-ed25519 OTHER me")  # without a newline at its end
    paths = {"$(getent passwd {user} | cut -d: -f6)": str(tmp_path), "/root/": f"{tmp_path}/r/"}

    def run(script: str) -> str:
        for real, fake in paths.items():
            script = script.replace(real.format(user="admin"), fake)
        subprocess.run(["sh", "-s"], input=script, text=True, check=True)
        return file.read_text()

    add = ssh_key._add("admin", "ssh-ed25519 NEW shop_key")
    assert run(add) == "ssh-ed25519 OTHER me\nssh-ed25519 NEW shop_key\n"
    assert run(add) == "ssh-ed25519 OTHER me\nssh-ed25519 NEW shop_key\n"
    remove = ssh_key._REMOVE.format(user="admin", blob="OTHER")
    assert run(remove) == "ssh-ed25519 NEW shop_key\n"
    assert run(remove) == "ssh-ed25519 NEW shop_key\n"


def test_a_file_of_keys_that_cannot_be_rewritten_stays_whole(tmp_path: Path) -> None:
    """Broken: the disk is full, and the node's user has no key any more."""
    file = tmp_path / ".ssh" / "authorized_keys"
    file.parent.mkdir()
    file.write_text("ssh-ed25519 OLD me\nssh-ed25519 NEW me\n")
    grep = tmp_path / "grep"
    grep.write_text('#!/bin/sh\n[ "$1" != -vF ] || exit 2\nexec /usr/bin/grep "$@"\n')
    grep.chmod(0o755)
    script = ssh_key._REMOVE.format(user="admin", blob="OLD")
    script = script.replace("$(getent passwd admin | cut -d: -f6)", str(tmp_path))
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert subprocess.run(["sh", "-s"], input=script, text=True, env=env, check=False).returncode
    assert file.read_text() == "ssh-ed25519 OLD me\nssh-ed25519 NEW me\n"


def test_a_bastion_that_knows_only_the_clusters_key_must_accept_the_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Broken: the new key is recorded, and the way to every node is closed."""
    tried: list[Endpoint] = []
    monkeypatch.setattr(ssh_key, "_log_in", tried.append)
    old, new = Path("id_ed25519"), Path("id_ed25519.new")
    jumps = (Endpoint("bastion", key_file=old), Endpoint("other", own_keys=True))
    ssh_key._require_login({"wkr1": Endpoint("10.0.0.1", key_file=old, jumps=jumps)}, new)
    (node,) = tried
    assert [e.key_file for e in (node, *node.jumps)] == [new, new, None]


def test_a_missing_public_key_is_named_before_anything_changes(world: World) -> None:
    world.key.with_name("id_ed25519.pub").unlink()
    with pytest.raises(SwarmctlError, match=r"id_ed25519\.pub: No such file"):
        world.rotate()
    assert sorted(p.name for p in world.key.parent.iterdir()) == ["id_ed25519"]
