"""One machine of the lab: a container with systemd, sshd and (in the golden image) dockerd.

Uses only the Engine API; needs no root on the host.
"""

from __future__ import annotations

import io
import signal
import socket
import tarfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from swarmctl.errors import SwarmctlError
from swarmctl.reading.texts import clean, one_line

LAB_LABEL = "swarmctl.lab"
INSTANCE_LABEL = "swarmctl.instance"
FIREWALL_FILE = "/etc/lab/firewall.nft"
SSH_USER = "admin"
MIRROR_NAME = "mirror.lab"

# Seconds. Booting takes about two on an idle machine; a dozen at once on two cores take longer.
BOOT_TIMEOUT = 90
STOP_TIMEOUT = 20
REACH_TIMEOUT = 10
FIREWALL_TIMEOUT = 30

# Runs inside the machine: loopback is never filtered, whatever the security groups are.
_SSHD_ANSWERS = """
for _ in $(seq {tries}); do
  if {{ exec 3<>/dev/tcp/127.0.0.1/22 && read -r -t 2 banner <&3; }} 2>/dev/null; then
    case $banner in SSH-*) exit 0;; esac
  fi
  sleep 0.1
done
exit 1
"""


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """Everything needed to create a machine."""

    lab: str
    instance: str
    hostname: str
    image: str
    network: str
    ip: str
    mirror_ip: str
    firewall: str  # a script for nft
    resolv_conf: str = ""  # "" for Docker's own
    public_key: str = ""
    user_data: bytes = b""


def container_name(lab: str, instance: str) -> str:
    """The container of an instance."""
    return f"swarmctl-{lab}-{instance}"


def states(client: docker.DockerClient, lab: str) -> dict[str, str]:
    """The container state (``created``, ``running``, ``exited`` …) of every machine by instance."""
    listing = client.api.containers(all=True, filters={"label": [f"{LAB_LABEL}={lab}"]})
    return {
        c["Labels"][INSTANCE_LABEL]: c["State"] for c in listing if INSTANCE_LABEL in c["Labels"]
    }


def running_everywhere(client: docker.DockerClient) -> set[str]:
    """The instances of all labs on this computer whose machines run."""
    listing = client.api.containers(filters={"label": [INSTANCE_LABEL]})
    return {container["Labels"][INSTANCE_LABEL] for container in listing}


def create(client: docker.DockerClient, spec: MachineSpec) -> None:
    """Create a machine, ready for its first start; replace what an earlier attempt has left."""
    name = container_name(spec.lab, spec.instance)
    remove(client, spec.lab, spec.instance)
    host = machine_host(client, extra_hosts={MIRROR_NAME: spec.mirror_ip})
    endpoint = client.api.create_endpoint_config(ipv4_address=spec.ip)
    container = client.api.create_container(
        spec.image,
        name=name,
        hostname=spec.hostname,
        tty=True,  # systemd writes its boot messages to the console: `docker logs` shows them
        stop_signal="SIGRTMIN+3",
        volumes=["/var/lib/docker"],
        labels={LAB_LABEL: spec.lab, INSTANCE_LABEL: spec.instance},
        host_config=host,
        # The stubs take one endpoint where the SDK takes a mapping by network.
        networking_config=client.api.create_networking_config({spec.network: endpoint}),  # type: ignore[arg-type]
    )
    files = [(FIREWALL_FILE[1:], spec.firewall.encode(), 0o600, 0)]
    if spec.resolv_conf:
        files.append(("etc/lab/resolv.conf", spec.resolv_conf.encode(), 0o644, 0))
    if spec.public_key:
        keys = f"{spec.public_key.strip()}\n".encode()
        files.append((f"home/{SSH_USER}/.ssh/authorized_keys", keys, 0o600, 1000))
    if spec.user_data:
        files.append(("var/lib/lab/user-data", spec.user_data, 0o700, 0))
    client.api.put_archive(container["Id"], "/", tar(files))


def machine_host(client: docker.DockerClient, **more: Any) -> Any:
    """What a container needs to be a machine with systemd and an Engine.

    Args:
        client: this computer's Engine.
        more: further arguments of the SDK's ``create_host_config``.
    """
    host = client.api.create_host_config(
        cap_add=["ALL"],
        # Not every host can grant it, and a node does not need it.
        cap_drop=["SYS_RESOURCE"],
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        device_cgroup_rules=["a *:* rwm"],
        tmpfs={"/run": "", "/tmp": "exec"},  # noqa: S108 - paths inside the machine
        binds=_kernel_modules(),
        # For the registry's address, which is on loopback and leads elsewhere.
        sysctls={"net.ipv4.conf.all.route_localnet": "1"},
        **more,
    )
    # Not known to the SDK's create_host_config.
    host["CgroupnsMode"] = "private"
    host["MaskedPaths"] = host["ReadonlyPaths"] = []  # systempaths=unconfined, for the CLI
    return host


def start(client: docker.DockerClient, lab: str, instance: str) -> None:
    """Start a machine and wait until its sshd answers.

    Raises:
        SwarmctlError: it did not boot; the hint has its last output.
    """
    container = client.containers.get(container_name(lab, instance))
    script = _SSHD_ANSWERS.format(tries=BOOT_TIMEOUT * 10)
    try:
        _unpause(container)
        container.start()
        command = ["timeout", str(BOOT_TIMEOUT), "bash", "-c", script]
        code, _ = run_inside(client, container, command, BOOT_TIMEOUT + 10)
    except APIError as error:  # it did not start, or stopped again
        raise _boot_failure(client, lab, instance, str(error.explanation)) from error
    if code != 0:
        raise _boot_failure(client, lab, instance, f"sshd did not answer within {BOOT_TIMEOUT} s")


def run_inside(
    client: docker.DockerClient,
    container: Container,
    command: Sequence[str],
    limit_s: float,
    environment: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    """Run a command in a machine: its exit code and its output.

    The SDK's ``exec_run`` waits for ever when the Engine does not say that the command has ended,
    and with it everything that is to be done with the machine.

    Raises:
        SwarmctlError: it has not ended within the limit.
    """
    end = time.monotonic() + limit_s
    call = client.api.exec_create(container.id, list(command), environment=environment)["Id"]
    said = client.api.exec_start(call, stream=True)
    late = threading.Timer(limit_s, said.close)
    late.daemon = True
    late.start()
    try:
        output = b"".join(said)
    finally:
        late.cancel()
    # The output may end a moment before the Engine knows the exit code.
    while (code := client.api.exec_inspect(call)["ExitCode"]) is None:
        if time.monotonic() >= end:
            raise SwarmctlError(f"a command in the machine has not ended within {limit_s:.0f} s")
        time.sleep(0.05)
    return int(code), output


def require_reach(client: docker.DockerClient, lab: str, instance: str, gateway: str) -> None:
    """Require that a machine reaches this computer, where its metadata and DNS are served.

    Raises:
        SwarmctlError: it does not.
    """
    container = client.containers.get(container_name(lab, instance))
    with socket.create_server((gateway, 0)) as server:
        connect = f"exec 3<>/dev/tcp/{gateway}/{server.getsockname()[1]}"
        command = ["timeout", str(REACH_TIMEOUT), "bash", "-c", connect]
        code, _ = run_inside(client, container, command, REACH_TIMEOUT + 10)
    if code != 0:
        raise SwarmctlError(
            "a machine does not reach this computer: its firewall drops what comes from Docker's "
            "networks",
            "let the lab's ranges in, for example: sudo ufw allow from 10.32.0.0/11; "
            "sudo ufw allow from 198.18.0.0/15",
        )


def _boot_failure(client: docker.DockerClient, lab: str, instance: str, why: str) -> SwarmctlError:
    tail = clean(console(client, lab, instance, lines=15)).strip()
    last = one_line(tail.rpartition("\n")[2], 120)
    ending = f"; its console ends with: {last}" if last else ""
    return SwarmctlError(
        f"the machine did not boot: {one_line(why, 100)}{ending}",
        f"the end of its console:\n{tail}" if tail else "",
    )


def _unpause(container: Container) -> None:
    """A paused machine obeys nothing, not even a stop."""
    container.reload()
    if container.status == "paused":
        container.unpause()


def stop(client: docker.DockerClient, lab: str, instance: str, *, force: bool) -> None:
    """Shut a machine down, or kill it (``force``); a stopped or missing machine is no error."""
    try:
        container = client.containers.get(container_name(lab, instance))
    except NotFound:
        return
    _unpause(container)
    if not force:
        container.stop(timeout=STOP_TIMEOUT)
        return
    try:
        container.kill()
    except APIError as error:
        if error.status_code != 409:  # not running
            raise


def remove(client: docker.DockerClient, lab: str, instance: str) -> None:
    """Remove a machine and its disk; a missing machine is no error."""
    try:
        client.api.remove_container(container_name(lab, instance), force=True, v=True)
    except NotFound:
        return


def rebooting(client: docker.DockerClient, lab: str, instance: str) -> bool:
    """Whether a machine that has ended by itself was told to reboot, not to halt.

    The kernel ends the first process of a container that calls reboot(2) with SIGHUP for a reboot,
    and with SIGINT for a halt (reboot_pid_ns in kernel/pid_namespace.c).
    """
    try:
        found = client.api.inspect_container(container_name(lab, instance))
    except NotFound:
        return False
    return int(found["State"]["ExitCode"]) == 128 + signal.SIGHUP


def set_firewall(client: docker.DockerClient, lab: str, instance: str, rules: str) -> None:
    """Replace the firewall of a running machine in one transaction, and for its next boot.

    Raises:
        SwarmctlError: nft refused the rules.
    """
    container = client.containers.get(container_name(lab, instance))
    container.put_archive("/", tar([(FIREWALL_FILE[1:], rules.encode(), 0o600, 0)]))
    code, output = run_inside(client, container, ["nft", "-f", FIREWALL_FILE], FIREWALL_TIMEOUT)
    if code != 0:
        raise SwarmctlError(f"nft refused the rules of {instance}: {output!r}")


def console(client: docker.DockerClient, lab: str, instance: str, lines: int = 200) -> str:
    """The last lines of a machine's console; ``""`` if there is no such machine.

    At its first boot the machine prints its SSH host key there (``lab-ssh-keygen``).
    """
    try:
        container = client.containers.get(container_name(lab, instance))
        raw = container.logs(tail=lines)
    except NotFound:
        return ""
    return raw.decode(errors="replace").replace("\r\n", "\n")


def _kernel_modules() -> list[str]:
    modules = Path("/lib/modules")
    return [f"{modules}:{modules}:ro"] if modules.is_dir() else []


def tar(files: Sequence[tuple[str, bytes, int, int]]) -> bytes:
    """An archive of (path, content, mode, owner), with directories only where they are private."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content, mode, owner in files:
            if path.startswith("home/"):
                archive.addfile(_entry(str(Path(path).parent), 0o700, owner, tarfile.DIRTYPE))
            entry = _entry(path, mode, owner, tarfile.REGTYPE)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _entry(path: str, mode: int, owner: int, kind: bytes) -> Any:
    entry = tarfile.TarInfo(path)
    entry.mode, entry.uid, entry.gid, entry.type = mode, owner, owner, kind
    return entry
