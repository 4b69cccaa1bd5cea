"""A node's host keys, known before the first connection.

Their source is EC2's console output, which nobody on the network can forge: cloud-init prints the
keys there at first boot, and AWS advises to compare them.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/connection-prereqs-general.html
They are recorded under the instance's id: an address may be given to another machine, an id never.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from swarmctl.cloud.host_keys import HostKey, host_keys
from swarmctl.errors import DeadlineExceededError, SwarmctlError, UsageError
from swarmctl.reading.commands import word
from swarmctl.reading.files import PRIVATE, locked, write_whole
from swarmctl.reading.texts import reason
from swarmctl.state import cluster_dir
from swarmctl.wait import CLOCK, Clock, wait_for

if TYPE_CHECKING:
    from swarmctl.cloud.instances import Cloud, Instance

# Seconds between two looks at the consoles, and for another process that writes the same file.
_INTERVAL_S = 2
_LOCK_S = 30


def without_record(instances: Iterable[Instance]) -> list[Instance]:
    """The instances whose host keys are not recorded."""
    return [i for i in instances if i.id not in _aliases(_file(i))]


def record(instance: Instance, keys: Sequence[HostKey]) -> None:
    """Record these keys, and only these, for an instance.

    Raises:
        SwarmctlError: the file cannot be written.
    """
    path = _file(instance)
    busy = "host keys are being recorded"
    with locked(path.with_name(".known_hosts.lock"), busy, "try again", _LOCK_S):
        others = [line for line in _lines(path) if line.partition(" ")[0] != instance.id]
        ours = [f"{instance.id} {key.kind} {key.body}" for key in keys]
        try:
            write_whole(path, "".join(f"{line}\n" for line in (*others, *ours)), PRIVATE)
        except OSError as fault:
            raise SwarmctlError(f"cannot write {path}: {fault.strerror}") from fault


def record_from_consoles(
    ec2: Cloud,
    instances: Iterable[Instance],
    timeout: float,
    say: Callable[[Instance, Sequence[HostKey]], None],
    clock: Clock = CLOCK,
) -> None:
    """Wait for the host keys on the consoles of these instances, and record them.

    Args:
        ec2: the EC2 API.
        instances: those whose keys are wanted.
        timeout: seconds for all of them.
        say: is called with each instance and its keys, once they are recorded.
        clock: replaced in tests.

    Raises:
        DeadlineExceededError: a console shows no keys; the others are recorded.
        SwarmctlError: an instance has ended, EC2 cannot be asked, or the file cannot be written.
    """
    missing = list(instances)

    def poll() -> tuple[bool | None, str]:
        _refuse_ended(ec2, missing)
        seen = ""
        for instance in tuple(missing):
            console = ec2.console(instance.id)
            if keys := host_keys(console):
                record(instance, keys)
                missing.remove(instance)
                say(instance, keys)
            else:
                lines = len(console.splitlines())
                seen = f"{instance.name} ({instance.id}) has printed {lines} lines without them"
        return (None if missing else True), seen

    if not missing:
        return
    try:
        wait_for(
            "host keys on the consoles of the nodes",
            poll,
            timeout=timeout,
            interval=_INTERVAL_S,
            clock=clock.now,
            pause=clock.pause,
        )
    except DeadlineExceededError as late:
        raise DeadlineExceededError(
            late.message,
            "EC2 forgets the output of earlier boots; an AMI without cloud-init prints no keys: "
            f"{by_hand(missing[0].name)}",
        ) from late


def record_from_file(
    path: Path,
    instances: Iterable[Instance],
    say: Callable[[Instance, Sequence[HostKey]], None],
) -> None:
    """Record the host keys that another known_hosts file has under the machines' addresses.

    Args:
        path: the file; hashed names are found, too.
        instances: those whose keys are wanted.
        say: is called with each instance and its keys, once they are recorded.

    Raises:
        UsageError: the file cannot be read, or lacks a machine; the others are recorded.
        SwarmctlError: the record cannot be written.
    """
    import paramiko

    try:
        known = paramiko.HostKeys(str(path))
    except (OSError, ValueError, paramiko.hostkeys.InvalidHostKey) as fault:
        raise UsageError(f"cannot read {path}: {reason(fault)}") from fault
    lacking = []
    for instance in instances:
        port = instance.ssh_port
        address = instance.address if port == 22 else f"[{instance.address}]:{port}"
        found = known.lookup(address)
        if keys := [HostKey(kind, k.get_base64()) for kind, k in (found or {}).items()]:
            record(instance, keys)
            say(instance, keys)
        else:
            lacking.append(f"{instance.name} ({address})")
    if lacking:
        raise UsageError(
            f"{path} has no host key of {', '.join(lacking)}",
            "log in once by hand and compare the fingerprint; or give the key that is on the "
            "machine: swarmctl node trust NODE --key 'ssh-ed25519 AAAA…'",
        )


def by_hand(node: str) -> str:
    """How a person records the key of a node that no console shows."""
    return (
        "read /etc/ssh/ssh_host_ed25519_key.pub on the machine (EC2's serial console or Session "
        f"Manager), then: swarmctl node trust {word(node)} --key 'ssh-ed25519 AAAA…'"
    )


def _refuse_ended(ec2: Cloud, instances: Sequence[Instance]) -> None:
    ended = ec2.not_running([i.id for i in instances])
    for instance in instances:
        if instance.id in ended:
            raise SwarmctlError(
                f"{instance.name} ({instance.id}) is {ended[instance.id]}",
                "playbooks/site.yml starts a stopped instance and replaces a terminated one",
            )


def _file(instance: Instance) -> Path:
    return cluster_dir(instance.cluster) / "known_hosts"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []


def _aliases(path: Path) -> set[str]:
    return {line.partition(" ")[0] for line in _lines(path)}
