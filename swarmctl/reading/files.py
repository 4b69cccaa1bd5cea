"""Files that survive a crash: written whole or not at all, and locked while a process works."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from swarmctl.errors import RefusedError, SwarmctlError

# For what may hold secrets: rendered stacks, snapshots, journals, reports.
PRIVATE = 0o600


def write_whole(path: Path, content: bytes | str, mode: int | None = None) -> None:
    """Replace a file by a rename; when this returns, the new content survives a power cut.

    Readers see the old content or the new, never a part. A missing directory is created. A device
    or a pipe, such as ``/dev/stdout``, is written to.

    Args:
        path: the file; of a symbolic link, what it points to.
        content: text is written as UTF-8.
        mode: the most permissions it may have, such as ``PRIVATE``; those that an old file has and
            ``mode`` does not are taken away. ``None``: those of the old file, or the umask's.

    Raises:
        OSError: it cannot be written; the file is unchanged.
    """
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and (path.is_relative_to("/dev") or not path.is_file()):
        path.write_bytes(data)
        return
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(fresh, flags, 0o666 if mode is None else mode), "wb") as file:
            if path.exists():
                _take_over(file.fileno(), path.stat(), 0o777 if mode is None else mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    # The rename itself must survive too: flush the directory's entries, and those of its parent.
    for directory in (path.parent, path.parent.parent):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _take_over(descriptor: int, old: os.stat_result, mode: int) -> None:
    """Give a new file the owner of the old one, and no more permissions than it had."""
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):  # only root may; the file is then ours
            os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, old.st_mode & mode & 0o777)


@contextmanager
def locked(path: Path, busy: str, hint: str, timeout_s: float = 0) -> Iterator[None]:
    """Hold a lock file; the kernel frees it however the process ends, ``kill -9`` included.

    Args:
        path: the lock file; it stays, with the pid of its last holder.
        busy: for the message: what the process that holds the lock is doing.
        hint: what the user can do then.
        timeout_s: seconds to wait for it.

    Raises:
        RefusedError: another process holds it; the message has its pid.
        SwarmctlError: the file cannot be created.
    """
    import filelock  # 20 ms, which `swarmctl --help` does not need

    lock = filelock.FileLock(path, mode=0o600, fallback_to_soft=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=timeout_s)
    except filelock.Timeout:
        holder = path.read_text().strip() or "unknown"
        raise RefusedError(f"{busy}: process {holder} holds {path}", hint) from None
    except OSError as fault:
        raise SwarmctlError(
            f"cannot write {path}: {fault.strerror}",
            "make the directory writable, or use another",
        ) from fault
    try:
        path.write_text(f"{os.getpid()}\n")
        yield
    finally:
        lock.release()
