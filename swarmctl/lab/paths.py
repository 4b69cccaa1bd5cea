"""What a lab keeps on disk, and the locks that keep two commands apart."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from swarmctl.errors import RefusedError, UsageError

# Labs are found here whatever $SWARMCTL_STATE says: `lab env` points that one into a lab.
ROOT = Path.home() / ".local" / "state" / "swarmctl" / "labs"


@dataclass(frozen=True, slots=True)
class LabPaths:
    """The files of one lab.

    Raises:
        UsageError: the name cannot be part of a container's name.
    """

    name: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", self.name):
            raise UsageError(
                f"{self.name!r} cannot name a lab",
                "use up to 31 lower-case letters, digits and hyphens",
            )

    @property
    def directory(self) -> Path:
        """Everything below goes with the lab."""
        return ROOT / self.name

    @property
    def state(self) -> Path:
        """The clusters' keys and known hosts while this lab is the environment."""
        return self.directory / "state"

    @property
    def record(self) -> Path:
        """JSON: ``pid`` and ``port`` of the serving process."""
        return self.directory / "lab.json"

    @property
    def log(self) -> Path:
        """What the serving process writes."""
        return self.directory / "serve.log"

    @property
    def command_lock(self) -> Path:
        """Held while ``up`` or ``down`` works. Beside the directory, which ``down`` removes."""
        return ROOT / f"{self.name}.lock"

    @property
    def serve_lock(self) -> Path:
        """Held by the serving process for as long as it lives."""
        return self.directory / "serve.lock"

    def recorded_port(self) -> int:
        """The port served last, 0 when none has been recorded."""
        return int(self._recorded("port"))

    def serving_pid(self) -> int:
        """The process that serves the lab, 0 when none does."""
        if not self.serve_lock.exists():
            return 0
        try:
            with held(self.serve_lock):
                return 0
        except RefusedError:
            return int(self._recorded("pid"))

    def _recorded(self, key: str) -> int:
        try:
            value = json.loads(self.record.read_text())[key]
        except (FileNotFoundError, json.JSONDecodeError):
            return 0
        return int(value)


@contextlib.contextmanager
def held(lock: Path) -> Iterator[None]:
    """Hold a lock file; the kernel lets go of it however the process ends.

    Raises:
        RefusedError: another process holds it; the message names that process.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read().strip() or "unknown"
            raise RefusedError(
                f"process {holder} is already at work here: it holds {lock}",
                "wait until it has finished",
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
