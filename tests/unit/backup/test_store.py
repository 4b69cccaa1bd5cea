"""Backups are found, kept and removed by name, and never half."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from swarmctl.backup.manifest import Proof, encoded, manifest_of
from swarmctl.backup.store.retention import age_in_words, cluster_of, name_of, taken_at, to_remove
from swarmctl.backup.store.store import open_store
from swarmctl.cli import main as cli
from swarmctl.errors import SwarmctlError, UsageError
from tests.unit.backup.made import NAME, manifest, stored

NAMES = [f"swarm_app-2026010{day}T120000Z" for day in range(1, 6)]


def test_the_newest_are_kept_and_the_newest_proven_one() -> None:
    assert to_remove(NAMES, 2) == tuple(NAMES[:3])
    assert to_remove(NAMES, 2, NAMES[:2]) == (NAMES[0], NAMES[2])
    assert to_remove(NAMES, 0) == ()
    assert to_remove(NAMES, 9) == ()


def test_a_name_says_whose_and_when() -> None:
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert name_of("swarm_app", moment) == NAME
    assert (cluster_of(NAME), taken_at(NAME)) == ("swarm_app", moment)
    assert (cluster_of("../x"), taken_at("swarm_app-99999999T999999Z")) == ("", None)


def test_the_backups_of_other_clusters_are_not_seen(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    for name in (NAME, "shop-20260131T120000Z", "swarm_app_2-20260131T120000Z"):
        store.keep(replace(manifest(), name=name))
    assert store.backups("swarm_app") == [NAME]
    with pytest.raises(UsageError, match="unknown backup"):
        store.find("swarm_app", "swarm_app-20260131T120001Z")
    with pytest.raises(SwarmctlError, match="has no backup of other"):
        store.find("other", "latest")


def test_a_proof_is_kept_beside_the_backup_and_goes_with_it(tmp_path: Path) -> None:
    kept = stored(tmp_path, b"data")
    store = open_store(str(tmp_path))
    assert store.proof(NAME) is None
    proof = Proof(NAME, "2026-02-01T00:00:00+00:00", "26.1.5", 70.1, 16, 1)
    store.keep(proof)
    assert store.proof(kept.name) == proof
    assert proof.proven
    store.remove(NAME)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_found_and_other_clusters_and_files_are_not_touched(
    tmp_path: Path,
) -> None:
    stored(tmp_path, b"data")
    store, half = open_store(str(tmp_path)), NAMES[0]
    for name in (f"{half}.db.age.partial", "notes.txt", "shop-20260131T120000Z.tar.gz.age"):
        (tmp_path / name).write_bytes(b"x")
    moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert store.halves("swarm_app", moment) == []  # it may be under way
    later = moment + timedelta(days=1)
    assert store.halves("swarm_app", later) == [half]
    store.remove(half)
    assert store.halves("swarm_app", later) == []
    assert (tmp_path / "notes.txt").exists()
    assert store.backups("swarm_app") == [NAME]


def test_a_file_is_kept_whole_for_its_owner_alone_or_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"x")
    files = open_store(str(tmp_path / "new")).files
    assert files.names() == []
    files.upload(tmp_path / "data", "kept")
    assert files.read("kept") == b"x"
    assert (tmp_path / "new" / "kept").stat().st_mode & 0o777 == 0o600
    with pytest.raises(SwarmctlError, match=r"cannot read .*data: Not a directory"):
        open_store(str(tmp_path / "data")).files.names()
    with pytest.raises(SwarmctlError, match="cannot remove"):
        open_store(str(tmp_path)).files.delete("new")


def test_a_manifest_that_is_damaged_or_of_later_form_is_refused() -> None:
    good = encoded(manifest())
    assert manifest_of(good, "there") == manifest()
    for bad, words in (
        (good[:-20], "damaged"),
        (good.replace(b'"version": 1', b'"version": 2'), "form 2 is unknown"),
        (good.replace(b'"size": 0', b'"size": "x"'), "damaged"),
        (b"\xff", "damaged"),
    ):
        with pytest.raises(SwarmctlError, match=words):
            manifest_of(bad, "there")


@pytest.mark.parametrize("where", ["", "s3://", "s3://X/y", "gs://bucket/x"])
def test_a_place_that_is_none_is_refused(where: str) -> None:
    with pytest.raises(UsageError):
        open_store(where)


def test_a_bucket_without_credentials_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("CONFIG_FILE", "SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(f"AWS_{name}", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    with pytest.raises(SwarmctlError, match="no AWS credentials were found"):
        open_store("s3://nowhere/shop").backups("shop")


def test_ages_in_words() -> None:
    ages = [timedelta(minutes=5), timedelta(hours=5), timedelta(days=3, hours=2)]
    assert [age_in_words(age) for age in ages] == ["5 min", "5 h", "3 days"]


def test_a_place_that_cannot_be_used_is_refused_before_the_manager_is_drained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """playbooks/backup.yml drains after the plan; no Swarm is asked here."""
    assert cli.main(["backup", "plan", "--to", "s3://B"]) == 2
    assert "cannot read 's3://B'" in capsys.readouterr().err
