"""Check what the lab needs on this machine; each check names the command that repairs it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException

from swarmctl.errors import SwarmctlError
from swarmctl.lab.host import limits
from swarmctl.lab.host.room import MACHINE_MEMORY, SPARE_MEMORY, available, for_memory, in_gib
from swarmctl.lab.image.recipes import BASE_IMAGE_VARIABLE
from swarmctl.lab.lab import Step
from swarmctl.wait import wait_for

MACHINES = 10  # a cluster and some; Linux's usual limits are enough for them
MIN_DISK = 6 << 30  # bytes: images, and the disks of a few nodes
ENGINE_TIMEOUT = 60  # seconds
ENGINE_LOG = Path("/var/log/dockerd.log")
FIX = "sudo swarmctl lab doctor --fix"

# On Ubuntu, mmdebstrap needs Debian's keys to check what it fetches.
PACKAGES = ("docker.io", "mmdebstrap", "debian-archive-keyring")

# Bits of the capability bounding set (linux/capability.h) that a node needs.
_NEEDED = {"NET_ADMIN": 12, "NET_RAW": 13, "SYS_ADMIN": 21, "MKNOD": 27}


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement of the lab: whether it is met, and how to meet it."""

    what: str
    ok: bool
    seen: str
    remedy: str = ""
    required: bool = True

    @property
    def failed(self) -> bool:
        """Whether the lab cannot run without it."""
        return self.required and not self.ok

    def line(self) -> str:
        """The check as one line."""
        mark = "✓" if self.ok else "✗" if self.required else "!"
        return f"{mark} {self.what}: {self.seen}" + (
            f" — {self.remedy}" if self.remedy and not self.ok else ""
        )


def examine(machines: int = MACHINES) -> tuple[Check, ...]:
    """Run all checks, for a number of machines of all labs together. Changes nothing."""
    info, problem = _engine_info()
    root = Path(info.get("DockerRootDir", "/var/lib/docker"))
    return (
        _engine(info, problem),
        _builder(),
        _memory(Path("/proc/meminfo").read_text(), machines),
        _limits(limits.read(), machines),
        _disk(root),
        _capabilities(Path("/proc/self/status").read_text()),
        _ip_vs(),
    )


def _engine_info() -> tuple[dict[str, Any], str]:
    try:
        return docker.from_env(timeout=10).info(), ""
    except DockerException as error:
        return {}, str(error)


def _engine(info: dict[str, Any], problem: str) -> Check:
    if info:
        return Check("Docker Engine", True, f"{info['ServerVersion']}, {info['Driver']}")
    if "Permission denied" in problem:
        return Check("Docker Engine", False, "no permission", "sudo usermod -aG docker $USER")
    return Check("Docker Engine", False, "not reachable", FIX)


def _builder() -> Check:
    base = os.environ.get(BASE_IMAGE_VARIABLE)
    found = f"{BASE_IMAGE_VARIABLE}={base}" if base else shutil.which("mmdebstrap")
    return Check("image builder", bool(found), found or "no mmdebstrap", FIX)


def _memory(meminfo: str, machines: int) -> Check:
    memory = available(meminfo)
    fit = for_memory(memory)
    needed = SPARE_MEMORY + machines * MACHINE_MEMORY
    return Check(
        "memory",
        fit >= machines,
        f"{in_gib(memory)} available, for {fit} more machines",
        f"free memory: {in_gib(needed)} are needed for {machines}",
    )


def _limits(values: dict[str, int], machines: int) -> Check:
    low = limits.too_low(machines, values)
    found = [f"{key} is {values[key]}, {needed} needed" for key, needed in low.items()]
    return Check(
        "kernel limits",
        not low,
        "; ".join(found) or f"enough for {machines} machines",
        f"{FIX} --machines {machines}",
    )


def _disk(root: Path) -> Check:
    place = next(p for p in (root, *root.parents) if p.exists())
    free = shutil.disk_usage(place).free
    return Check(
        "disk",
        free >= MIN_DISK,
        f"{free / (1 << 30):.1f} GiB free at {place}",
        f"free space: {MIN_DISK >> 30} GiB are needed (docker image prune)",
    )


def _capabilities(status: str) -> Check:
    line = next(text for text in status.splitlines() if text.startswith("CapBnd:"))
    bounding = int(line.split()[1], 16)
    missing = [name for name, bit in _NEEDED.items() if not bounding >> bit & 1]
    return Check(
        "capabilities",
        not missing,
        "complete" if not missing else f"missing {', '.join(missing)}",
        "run on a host, not inside an unprivileged container",
    )


def _ip_vs() -> Check:
    loaded = Path("/proc/net/ip_vs").exists()
    loadable = any(Path("/lib/modules").glob(f"{os.uname().release}/kernel/**/ip_vs.ko*"))
    return Check(
        "ip_vs",
        loaded or loadable,
        "available" if loaded or loadable else "not in this kernel",
        "no routing mesh here; stacks publish dynamic host ports instead (nothing to do)",
        required=False,
    )


def fix(step: Step, machines: int = MACHINES) -> None:
    """Install and start what is missing and raise limits; Debian or Ubuntu, as root. Idempotent.

    Raises:
        SwarmctlError: not root, another distribution, or a command failed.
    """
    if not _engine_info()[0] or not _builder().ok:
        if os.geteuid() != 0:
            raise SwarmctlError("installing packages needs root", f"run `{FIX}`")
        if shutil.which("apt-get") is None:
            raise SwarmctlError(
                "`--fix` works on Debian and Ubuntu only",
                "install Docker Engine and mmdebstrap with your distribution's tools",
            )
        if shutil.which("dockerd") is None or not _builder().ok:
            with step(f"installing {' '.join(PACKAGES)}"):
                _run(["apt-get", "update", "-q"])
                _run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES])
    if not _engine_info()[0]:
        with step("starting the Engine"):
            _start_engine()
    if low := limits.too_low(machines, limits.read()):
        with step("raising the kernel's limits"):
            limits.raise_to(low)


def _start_engine() -> None:
    if Path("/run/systemd/system").is_dir():
        _run(["systemctl", "enable", "--now", "docker"])
    else:
        with ENGINE_LOG.open("ab") as log:
            subprocess.Popen(
                ["dockerd"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def answers() -> tuple[bool | None, str]:
        info, problem = _engine_info()
        return (True if info else None), problem

    wait_for("the Docker Engine to answer", answers, timeout=ENGINE_TIMEOUT)


def _run(command: Sequence[str]) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-10:])
        raise SwarmctlError(f"`{' '.join(command)}` failed (exit code {done.returncode}):\n{tail}")
