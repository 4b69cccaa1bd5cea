"""Files are whole at any moment, and a lock dies with its process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.reading.files import PRIVATE, locked, write_whole


def hold(path: Path) -> None:
    with locked(path, "somebody works", "wait"):
        pass


def test_a_crash_while_writing_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_whole(path, "old")

    def crash(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", crash)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("old", "asked", "new"),
    [
        (None, PRIVATE, 0o600),
        (0o644, PRIVATE, 0o600),
        (0o400, PRIVATE, 0o400),
        (0o750, None, 0o750),
        (0o600, None, 0o600),
    ],
)
def test_permissions_are_never_loosened(
    tmp_path: Path, old: int | None, asked: int | None, new: int
) -> None:
    path = tmp_path / "file"
    if old is not None:
        path.touch()
        path.chmod(old)
    write_whole(path, "x", asked)
    assert path.stat().st_mode & 0o777 == new


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_written_by_root_stays_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    os.chown(path, 1234, 1234)
    write_whole(path, "x")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1234)


def test_a_link_stays_a_link_and_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    write_whole(tmp_path / "link", "linked")
    assert (tmp_path / "file").read_text() == "linked"
    assert (tmp_path / "link").is_symlink()
    read, write = os.pipe()
    write_whole(Path(f"/dev/fd/{write}"), "piped")
    assert os.read(read, 99) == b"piped"


def test_a_new_file_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "sub" / "new", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "sub" / "new").stat().st_mode & 0o777 == 0o640


def test_the_lock_of_a_killed_process_is_free_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / ".lock"
    script = (
        "import pathlib, sys\n"
        "from swarmctl.reading.files import locked\n"
        f"with locked(pathlib.Path({str(path)!r}), 'a', 'b'):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(RefusedError, match=f"somebody works: process {process.pid} holds"):
            hold(path)
        assert path.read_text() == f"{process.pid}\n"
        process.kill()
    hold(path)


def test_a_lock_is_waited_for_until_the_deadline(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    taken, done = threading.Event(), threading.Event()

    def work() -> None:
        with locked(path, "", ""):
            taken.set()
            done.wait(10)

    worker = threading.Thread(target=work)
    worker.start()
    assert taken.wait(10)
    began = time.monotonic()
    with pytest.raises(RefusedError), locked(path, "busy", "", timeout_s=0.2):
        pass
    assert 0.15 < time.monotonic() - began < 5
    threading.Timer(0.1, done.set).start()
    with locked(path, "busy", "", timeout_s=10):
        assert path.read_text() == f"{os.getpid()}\n"
    worker.join()


def test_a_lock_that_cannot_be_made_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SwarmctlError, match=r"cannot write .*/file/\.lock"):
        hold(tmp_path / "file" / ".lock")


def test_an_error_of_the_work_itself_passes_through(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="of the work"), locked(tmp_path / ".lock", "", ""):
        raise OSError("of the work")
    hold(tmp_path / ".lock")
