"""The kernel's limits that bound the number of machines on this computer, of all labs together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from swarmctl.errors import SwarmctlError

SYSCTL = Path("/proc/sys")
MOST = 1000  # machines; more than a computer holds


@dataclass(frozen=True, slots=True)
class Limit:
    """A sysctl, and the value needed for a number of machines."""

    key: str
    needed: Callable[[int], int]

    def fits(self, value: int) -> int:
        """For how many machines a value is enough."""
        return max((n for n in range(MOST + 1) if self.needed(n) <= value), default=0)


def _threads(machines: int) -> int:
    return 4096 + 500 * machines


def _neighbours(machines: int) -> int:
    """Every machine may know every other, in the Swarm's network and in an overlay."""
    return 256 + 2 * machines**2


# Counted on machines with the three-tier stack: 5 inotify instances (3 of systemd, D-Bus,
# containerd), 15 watches, up to 450 threads, 750 open files. Linux's defaults are for 19 machines.
LIMITS = (
    Limit("fs.inotify.max_user_instances", lambda n: 32 + 5 * n),
    Limit("fs.inotify.max_user_watches", lambda n: 1024 + 64 * n),
    Limit("fs.file-max", lambda n: 8192 + 2048 * n),
    Limit("kernel.pid_max", _threads),
    Limit("kernel.threads-max", _threads),
    Limit("net.ipv4.neigh.default.gc_thresh3", _neighbours),
    Limit("net.ipv4.neigh.default.gc_thresh2", lambda n: _neighbours(n) // 2),
    Limit("net.ipv4.neigh.default.gc_thresh1", lambda n: _neighbours(n) // 8),
)


def read() -> dict[str, int]:
    """The limits' values now; one that this machine does not have is left out."""
    return {
        limit.key: int(_path(limit.key).read_text())
        for limit in LIMITS
        if _path(limit.key).exists()
    }


def too_low(machines: int, values: dict[str, int]) -> dict[str, int]:
    """The values needed for a number of machines, where those given are less."""
    needed = {limit.key: limit.needed(machines) for limit in LIMITS if limit.key in values}
    return {key: value for key, value in needed.items() if values[key] < value}


def raise_to(values: dict[str, int]) -> None:
    """Set limits until the next reboot.

    Raises:
        SwarmctlError: one cannot be set.
    """
    for key, value in values.items():
        try:
            _path(key).write_text(str(value))
        except OSError as fault:
            raise SwarmctlError(
                f"cannot set {key} to {value}: {fault.strerror}",
                "run it as root on the host itself, not in a container",
            ) from fault


def _path(key: str) -> Path:
    return SYSCTL.joinpath(*key.split("."))
