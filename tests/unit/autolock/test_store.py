from __future__ import annotations

from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from swarmctl.autolock import store as stores
from swarmctl.autolock.store import ParameterStore, VaultFile, forget, store_of
from swarmctl.errors import SwarmctlError, UsageError

KEYS = ("SWMKEY-1-new", "SWMKEY-1-old")


class Ssm:
    """Parameters in memory, with the refusals of SSM."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.deletions = 0

    def get_parameter(self, **asked: Any) -> Any:
        if asked["Name"] not in self.kept:
            raise self._fault("ParameterNotFound", "GetParameter")
        value = self.kept[asked["Name"]]["Value"]
        return {"Parameter": {"Value": value if asked["WithDecryption"] else "cipher"}}

    def put_parameter(self, **given: Any) -> None:
        assert not (given.get("Overwrite") and given.get("Tags")), "SSM refuses both together"
        if given["Name"] in self.kept and not given.get("Overwrite"):
            raise self._fault("ParameterAlreadyExists", "PutParameter")
        self.kept[given["Name"]] = {"Tags": self.kept.get(given["Name"], {}).get("Tags"), **given}

    def delete_parameter(self, **asked: Any) -> None:
        self.deletions += 1
        if self.kept.pop(asked["Name"], None) is None:
            raise self._fault("ParameterNotFound", "DeleteParameter")

    def _fault(self, code: str, action: str) -> Exception:
        return botocore.exceptions.ClientError({"Error": {"Code": code}}, action)


def test_a_parameter_is_encrypted_and_tagged_and_can_be_replaced() -> None:
    ssm = Ssm()
    store = ParameterStore("/swarmctl/shop/unlock-key", "shop", ssm)
    assert (store.read(), store.exists(), store.remove()) == ((), False, False)
    store.write(KEYS[1:])
    store.write(KEYS)
    assert (store.read(), store.exists()) == (KEYS, True)
    kept = ssm.kept["/swarmctl/shop/unlock-key"]
    assert kept["Type"] == "SecureString"
    assert kept["Tags"] == [{"Key": "swarmctl:cluster", "Value": "shop"}]
    assert store.remove()
    assert not store.exists()


def test_a_vaulted_file_can_be_read_with_its_password_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text("one\n")
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(tmp_path / "password"))
    store = VaultFile(tmp_path / "unlock_key.vault")
    assert store.read() == ()
    store.write(KEYS)
    assert store.read() == KEYS
    content = (tmp_path / "unlock_key.vault").read_text()
    assert content.startswith("$ANSIBLE_VAULT;")
    assert "SWMKEY" not in content
    (tmp_path / "password").write_text("another\n")
    with pytest.raises(SwarmctlError, match="cannot read the unlock key"):
        store.read()
    monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD_FILE")
    with pytest.raises(UsageError, match="no password"):
        store.read()
    assert store.exists()
    assert store.remove()
    assert not store.remove()


def test_the_file_is_used_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWARMCTL_STATE", str(tmp_path))
    assert store_of("shop").where == "the SSM parameter /swarmctl/shop/unlock-key"
    path = tmp_path / "clusters" / "shop" / "unlock_key.vault"
    assert store_of("shop", "file").where == str(path)
    path.parent.mkdir(parents=True)
    machines = path.with_name("machines.json")
    machines.touch()
    assert store_of("shop").where == str(path), "the machines are not EC2's"
    machines.unlink()
    path.write_text("x")
    assert store_of("shop").where == str(path)
    with pytest.raises(UsageError, match="not in SSM"):
        store_of("shop", "ssm")


def test_a_cluster_that_is_removed_leaves_no_key_in_either_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: a key that was stored in SSM first stays there for ever."""
    ssm = Ssm()
    monkeypatch.setenv("SWARMCTL_STATE", str(tmp_path))
    monkeypatch.setattr(stores, "aws_session", lambda: None)
    monkeypatch.setattr(stores, "aws_client", lambda *_: ssm)
    assert forget("shop", dry_run=False) == []
    assert not ssm.deletions  # which needs a right of its own
    path = tmp_path / "clusters" / "shop" / "unlock_key.vault"
    path.parent.mkdir(parents=True)
    path.write_text("x")
    ParameterStore("/swarmctl/shop/unlock-key", "shop", ssm).write(KEYS)
    assert len(forget("shop", dry_run=True)) == 2
    assert path.exists()
    assert len(forget("shop", dry_run=False)) == 2
    assert (path.exists(), ssm.kept) == (False, {})
