"""The files of a lab, what is recorded of it, and the lock that lets one command at a time work."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

from swarmctl.errors import RefusedError, UsageError
from swarmctl.reading.files import PRIVATE, locked, write_whole

# Does not depend on $SWARMCTL_STATE: `lab env` sets that to a folder inside a lab.
ROOT = Path.home() / ".local" / "state" / "swarmctl" / "labs"


@dataclass(frozen=True, slots=True)
class Record:
    """What ``lab up`` has chosen for a lab, and where its process serves. Kept with mode 0600."""

    key_id: str = ""  # of the only AWS access key that the lab accepts
    secret: str = field(default="", repr=False)
    vpc_cidr: str = ""  # a free range, for the playbooks' VPC
    registry: str = ""  # where images for the machines can be pushed
    store: str = ""  # the docker-registry that keeps ECR's images, for the lab's process
    token_life: float = 0.0  # seconds that a password for ECR's registry is good
    ecr: str = ""  # where ECR's registry is, for this computer and for the machines
    image_base: str = ""  # the Debian image that such images can be based on
    pid: int = 0
    port: int = 0


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
        """Removed with the lab, and all files in it."""
        return ROOT / self.name

    @property
    def state(self) -> Path:
        """``$SWARMCTL_STATE`` in this lab: the clusters' keys and known hosts."""
        return self.directory / "state"

    @property
    def record(self) -> Path:
        """A ``Record``, as JSON."""
        return self.directory / "lab.json"

    @property
    def log(self) -> Path:
        """Output of the serving process."""
        return self.directory / "serve.log"

    @property
    def command_lock(self) -> Path:
        """Held during ``up`` and ``down``; outside the directory, which ``down`` removes."""
        return ROOT / f"{self.name}.lock"

    @property
    def serve_lock(self) -> Path:
        """Held by the serving process until it ends."""
        return self.directory / "serve.lock"

    def recorded(self) -> Record:
        """What is recorded of the lab; an empty record when there is none."""
        try:
            return Record(**json.loads(self.record.read_text()))
        except (FileNotFoundError, json.JSONDecodeError, TypeError):
            return Record()

    def keep(self, record: Record) -> None:
        """Replace what is recorded."""
        write_whole(self.record, json.dumps(asdict(record)), PRIVATE)

    def serving_pid(self) -> int:
        """The process that serves the lab, 0 when none does."""
        if not self.serve_lock.exists():
            return 0
        try:
            with held(self.serve_lock):
                return 0
        except RefusedError:
            return self.recorded().pid


def known_labs() -> list[str]:
    """The labs that are up, or have left files behind."""
    return sorted(path.parent.name for path in ROOT.glob("*/lab.json"))


def held(lock: Path, timeout_s: float = 0) -> contextlib.AbstractContextManager[None]:
    """Hold a lab's lock file; wait for it for some seconds.

    Raises:
        RefusedError: another process holds it; the message has its pid.
    """
    return locked(
        lock, "another command works on this lab", "wait until it has finished", timeout_s
    )
