"""How many more machines this computer has room for. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from swarmctl.lab.host.limits import LIMITS

# An idle machine uses 50 to 70 MiB and a loaded node a few hundred; most nodes are not loaded.
MACHINE_MEMORY = 128 << 20  # bytes
SPARE_MEMORY = 768 << 20  # bytes, for the lab's process, the image mirror and the operator's tools


@dataclass(frozen=True, slots=True)
class Room:
    """For how many more machines there is room, and what bounds it."""

    machines: int
    reason: str


def room(memory: int, limits: dict[str, int], running: int, starting: int) -> Room:
    """The room for more machines.

    Args:
        memory: available bytes.
        limits: the values of the kernel's limits.
        running: machines of all labs that run.
        starting: machines that have been asked for and do not run yet.
    """
    by_memory = Room(
        for_memory(memory) - starting,
        f"{in_gib(memory)} of memory is available, and a machine needs {MACHINE_MEMORY >> 20} MiB",
    )
    by_limit = [
        Room(
            limit.fits(limits[limit.key]) - running - starting,
            f"{limit.key} is {limits[limit.key]}, enough for {limit.fits(limits[limit.key])} "
            "machines; `sudo swarmctl lab doctor --fix --machines N` raises it",
        )
        for limit in LIMITS
        if limit.key in limits
    ]
    least = min(by_memory, *by_limit, key=lambda found: found.machines)
    return Room(max(0, least.machines), least.reason)


def for_memory(memory: int) -> int:
    """How many machines fit into the available bytes."""
    return max(0, memory - SPARE_MEMORY) // MACHINE_MEMORY


def available(meminfo: str) -> int:
    """The available bytes of ``/proc/meminfo``."""
    fields = dict(line.split(":", 1) for line in meminfo.splitlines())
    return int(fields["MemAvailable"].split()[0]) << 10


def in_gib(size: int) -> str:
    """Bytes in words."""
    return f"{size / (1 << 30):.1f} GiB"
