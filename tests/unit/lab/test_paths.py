"""Two commands never work on one lab at once, and names are safe."""

from pathlib import Path

import pytest

from swarmctl.errors import RefusedError, UsageError
from swarmctl.lab.paths import LabPaths, Record, held


def test_a_second_holder_is_refused_and_the_first_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "lab.lock"
    with (
        held(lock),
        pytest.raises(RefusedError, match=r"process \d+ holds"),
        held(lock),
    ):
        pytest.fail("the lock was given twice")


def test_a_lock_can_be_taken_again_once_it_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "lab.lock"
    with held(lock):
        pass
    with held(lock):
        assert lock.exists()


@pytest.mark.parametrize("name", ["", "../up", "Lab", "a_b", "x" * 40])
def test_a_name_that_docker_would_refuse_is_refused_first(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a lab"):
        LabPaths(name)


def test_nothing_serves_a_lab_that_has_never_been_up(tmp_path: Path) -> None:
    assert LabPaths("never-been-up").serving_pid() == 0


def test_the_labs_key_can_be_read_by_its_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swarmctl.lab.paths.ROOT", tmp_path)
    paths, record = LabPaths("mine"), Record("LAB1", "secret", "10.42.0.0/16", pid=1, port=2)
    paths.keep(record)
    assert paths.recorded() == record
    assert paths.record.stat().st_mode & 0o777 == 0o600
    assert "secret" not in repr(record)
