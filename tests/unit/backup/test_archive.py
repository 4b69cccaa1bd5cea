"""A damaged, truncated, foreign or undecryptable backup is never taken for a good one."""

from pathlib import Path

import pytest

from swarmctl.backup import age
from swarmctl.backup.age import DecryptionError
from swarmctl.backup.archive import check_archive, fetched
from swarmctl.backup.manifest import Manifest
from swarmctl.backup.store.store import open_store
from swarmctl.errors import RefusedError, SwarmctlError, UsageError
from tests.unit.backup import made


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, str]:
    """A file with a private key, and its public key."""
    private, public = age.new_identity()
    file = tmp_path / "key"
    file.write_text(f"# public key: {public}\n{private}\n")
    return file, public


def check(folder: Path, manifest: Manifest, key: Path) -> None:
    store = open_store(str(folder))
    with fetched(store, manifest.archive) as path:
        check_archive(path, manifest, age.identities(key))


def test_a_whole_backup_passes(tmp_path: Path, keys: tuple[Path, str]) -> None:
    kept = made.stored(tmp_path, made.encrypted(made.state(), keys[1]))
    check(tmp_path, kept, keys[0])
    assert open_store(str(tmp_path)).find("swarm_app", "latest") == kept


@pytest.mark.parametrize(("cut", "words"), [(100, "truncated"), (0, "damaged: its SHA-256")])
def test_other_bytes_than_recorded_are_refused(
    tmp_path: Path, keys: tuple[Path, str], cut: int, words: str
) -> None:
    data = made.encrypted(made.state(), keys[1])
    kept = made.stored(tmp_path, data)
    changed = data[:-cut] if cut else data[:-50] + bytes(50)
    (tmp_path / kept.archive.name).write_bytes(changed)
    with pytest.raises(RefusedError, match=words):
        check(tmp_path, kept, keys[0])


def test_bytes_that_were_damaged_before_the_checksum_are_refused(
    tmp_path: Path, keys: tuple[Path, str]
) -> None:
    data = bytearray(made.encrypted(made.state(raft=bytes(range(256)) * 2000), keys[1]))
    data[-10] ^= 1
    kept = made.stored(tmp_path, bytes(data))
    with pytest.raises(DecryptionError, match="damaged"):
        check(tmp_path, kept, keys[0])


def test_another_key_is_refused(tmp_path: Path, keys: tuple[Path, str]) -> None:
    kept = made.stored(tmp_path, made.encrypted(made.state(), age.new_identity()[1]))
    with pytest.raises(DecryptionError, match="encrypted for other keys"):
        check(tmp_path, kept, keys[0])


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (made.state(certificate=made.certificate(swarm="another")), "its manifest says"),
        (made.state(certificate=b"none"), "certificate in it cannot be read"),
        (made.state(raft=None), "lacks swarm/raft"),
        (made.state(key=None), "swarm-node.key"),
        (made.state()[:-40], "damaged"),
        (b"no archive", "damaged"),
    ],
)
def test_what_is_not_the_state_of_the_manifests_manager_is_refused(
    tmp_path: Path, keys: tuple[Path, str], state: bytes, words: str
) -> None:
    kept = made.stored(tmp_path, made.encrypted(state, keys[1]))
    with pytest.raises(SwarmctlError, match=words):
        check(tmp_path, kept, keys[0])


def test_recipients_and_identities_are_not_mixed_up(keys: tuple[Path, str], tmp_path: Path) -> None:
    private, public = age.new_identity()
    with pytest.raises(UsageError, match="private key was given"):
        age.recipients([private])
    with pytest.raises(UsageError, match="no key to encrypt"):
        age.recipients([])
    (tmp_path / "public").write_text(public)
    with pytest.raises(UsageError, match="no private key"):
        age.identities(tmp_path / "public")
