"""Start a lab, remove it, and read its status."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from secrets import token_hex, token_urlsafe
from typing import TYPE_CHECKING, Any

import boto3
import docker
import requests
from docker.errors import DockerException, NotFound

from swarmctl.errors import DeadlineExceededError, SwarmctlError, UsageError, require_extra
from swarmctl.lab import machine, network
from swarmctl.lab.api import Ec2Instance, View
from swarmctl.lab.balancer.machine import states as balancer_states
from swarmctl.lab.firewall import OPERATOR, compile_rules, gateway_of
from swarmctl.lab.host.addresses import Taken, first_free, taken_here
from swarmctl.lab.image.ensure import Images, ensure_images
from swarmctl.lab.image.recipes import BASE_IMAGE_VARIABLE, image_tags
from swarmctl.lab.paths import ROOT, LabPaths, Record, held, known_labs
from swarmctl.lab.registry.container import start as start_registry
from swarmctl.lab.registry.tokens import LIFE as TOKEN_LIFE
from swarmctl.lab.vpc_services import API
from swarmctl.reading.files import PRIVATE
from swarmctl.signals import interrupted_once
from swarmctl.wait import wait_for

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

REGION = "eu-central-1"

# Seconds. Loading moto takes about three on an idle machine; a busy one may need ten times that.
SERVE_TIMEOUT = 60
DOWN_TIMEOUT = 60

# The boot check's network, from the range reserved for benchmarks (RFC 2544).
_CHECK = "boot-check"
_CHECK_CIDR = "198.18.255.240/28"
_CHECK_IP = "198.18.255.244"

# ``with step("title"):`` shows that a step has begun, then how it ended.
Step = Callable[[str], AbstractContextManager[None]]
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LabStatus:
    """The state of a lab."""

    name: str
    endpoint: str  # the AWS API, "" when it is not served
    pid: int
    machines: dict[str, str]  # container state by id of an instance or a load balancer
    mirror: str  # container state, "" when there is none
    registry: str = ""  # where ECR's is, "" when it is not served


def engine() -> docker.DockerClient:
    """The Engine of this machine.

    Raises:
        SwarmctlError: it does not answer.
    """
    try:
        client = docker.from_env(timeout=120)
        client.ping()
    except DockerException as error:
        raise SwarmctlError(
            f"the lab needs a Docker Engine on this machine, but none answers: {error}",
            "`swarmctl lab doctor` shows what is missing, `swarmctl lab doctor --fix` installs it",
        ) from error
    return client


def up(name: str, step: Step, note: Note, token_life: float = TOKEN_LIFE) -> str:
    """Start a lab: images, a boot check, the image mirror, the AWS API. Idempotent.

    Args:
        name: the lab's name.
        step: shows each step and how it ended.
        note: called with the progress inside a long step.
        token_life: seconds that a password for ECR's registry is good.

    Returns:
        The endpoint of the AWS API.

    Raises:
        RefusedError: another command is using this lab.
        SwarmctlError: a step failed; everything started before is removed.
    """
    require_extra("lab", "the lab's AWS API", "moto", "flask", "flask_cors")
    paths = LabPaths(name)
    client = engine()
    with held(paths.command_lock):
        with step("images"):
            images = ensure_images(client, note)
        if pid := paths.serving_pid():
            note(f"lab {name} is already up (process {pid})")
            return endpoint(paths)
        _remove_everything(client, paths)
        with interrupted_once(f"removing what was started of lab {name}") as shield:
            try:
                if not _boots_here(images):
                    with step("a machine boots on this host"):
                        _check_boot(client, name, images)
                with step("image mirror"):
                    registry = network.start_mirror(client, name, images.registry)
                with step("registry of ECR"):
                    store = start_registry(client, name, images.registry)
                with step("AWS API"):
                    record = Record(registry=registry, store=store, token_life=token_life)
                    _choose(client, paths, record)
                    _serve(paths)
            except BaseException:
                shield()
                _stop_serving(paths)
                _remove_everything(client, paths, keep=paths.log.name)
                raise
    return endpoint(paths)


def _choose(client: docker.DockerClient, paths: LabPaths, begun: Record) -> None:
    """Record what was begun, a new key for the API, and a free range for the playbooks' VPC."""
    with held(paths.directory.with_name("_addresses.lock"), timeout_s=30):
        taken = [
            Taken(IPv4Network(cidr), f"the lab {other}")
            for other in known_labs()
            if (cidr := LabPaths(other).recorded().vpc_cidr)
        ]
        cidr = first_free((*taken, *taken_here(client, paths.name)))
        key, secret = f"LAB{token_hex(8).upper()}", token_urlsafe(30)
        base = image_tags(base_image=os.environ.get(BASE_IMAGE_VARIABLE) or None).base
        paths.keep(replace(begun, key_id=key, secret=secret, vpc_cidr=cidr, image_base=base))


def down(name: str, step: Step) -> None:
    """Remove a lab: its process, machines, networks, volumes and files. Idempotent."""
    paths = LabPaths(name)
    with held(paths.command_lock):
        with step("AWS API"):
            _stop_serving(paths)
        with step("machines, mirror and networks"):
            _remove_everything(engine(), paths)
    paths.command_lock.unlink(missing_ok=True)


def status(name: str) -> LabStatus:
    """The state of a lab now.

    Raises:
        UsageError: there is no such lab: it is not up, and nothing of it is left.
    """
    paths, client = LabPaths(name), engine()
    pid = paths.serving_pid()
    machines = machine.states(client, name) | balancer_states(client, name)
    if not pid and not machines:
        raise _no_lab(name)
    return LabStatus(
        name=name,
        endpoint=endpoint(paths) if pid else "",
        pid=pid,
        machines=machines,
        mirror=_mirror_state(client, name),
        registry=paths.recorded().ecr if pid else "",
    )


def _mirror_state(client: docker.DockerClient, name: str) -> str:
    try:
        return str(client.containers.get(network.mirror_container(name)).status)
    except NotFound:
        return ""


def environment(name: str) -> dict[str, str]:
    """The environment variables with which Ansible, boto3 and swarmctl use the lab.

    Raises:
        UsageError: the lab is not up.
    """
    paths = LabPaths(name)
    if not paths.serving_pid():
        raise _no_lab(name)
    record = paths.recorded()
    if not record.key_id:
        raise SwarmctlError(
            f"lab {name} was started by another version of swarmctl",
            f"start it again: swarmctl lab down --name {name}, then up",
        )
    return {
        "AWS_ENDPOINT_URL": endpoint(paths),
        "AWS_ACCESS_KEY_ID": record.key_id,
        "AWS_SECRET_ACCESS_KEY": record.secret,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SWARMCTL_NODE_AWS_ENDPOINT_URL": f"http://{API}",
        "SWARMCTL_LAB": name,
        "SWARMCTL_STATE": str(paths.state),
        "SWARMCTL_ADMIN_CIDR": f"{OPERATOR}/32",
        "SWARMCTL_VPC_CIDR": record.vpc_cidr,
        "SWARMCTL_REGISTRY": "ecr",
        "SWARMCTL_IMAGE_MIRROR": record.registry,
        "SWARMCTL_DISCOVERY_REGISTRY": record.registry,
        "SWARMCTL_IMAGE_BASE": record.image_base,
    }


def _no_lab(name: str) -> UsageError:
    up = ", ".join(lab for lab in known_labs() if LabPaths(lab).serving_pid())
    return UsageError(
        f"lab {name} is not up; labs that are up: {up or 'none'}",
        f"start it: swarmctl lab up --name {name}",
    )


def ec2_client(name: str) -> EC2Client:
    """A boto3 client for a lab's EC2; does not read the environment.

    Raises:
        SwarmctlError: the lab is not up.
    """
    return _session(name).client("ec2", endpoint_url=endpoint(LabPaths(name)))


def elb_client(name: str) -> Any:
    """A boto3 client for a lab's load balancers; does not read the environment.

    Raises:
        SwarmctlError: the lab is not up.
    """
    session: Any = _session(name)  # no stubs for this service are installed
    return session.client("elbv2", endpoint_url=endpoint(LabPaths(name)))


def _session(name: str) -> boto3.Session:
    variables = environment(name)
    return boto3.Session(
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=variables["AWS_REGION"],
    )


# These would override the lab's credentials or endpoint.
_UNSET = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_EC2")


def shell_exports(variables: dict[str, str]) -> str:
    """The lines to ``eval`` in a shell."""
    lines = [f"export {key}={shlex.quote(value)}" for key, value in variables.items()]
    return "\n".join([*lines, f"unset {' '.join(_UNSET)}"])


def endpoint(paths: LabPaths) -> str:
    """The address of the lab's AWS API."""
    return f"http://127.0.0.1:{paths.recorded().port}"


def _boots_here(images: Images) -> bool:
    record = ROOT / "boot-checked"
    return record.exists() and record.read_text() == images.node


def _check_boot(client: docker.DockerClient, lab: str, images: Images) -> None:
    """Boot and remove one machine: on a host that cannot boot one, ``up`` fails here."""
    instance = Ec2Instance(_CHECK, _CHECK, "pending", "", _CHECK_IP, _CHECK, ())
    view = View((instance,), {_CHECK: _CHECK_CIDR}, {})
    net = network.network_name(lab, _CHECK)
    network.ensure_network(client, lab, _CHECK, _CHECK_CIDR, mirror=False)
    try:
        machine.create(
            client,
            machine.MachineSpec(
                lab=lab,
                instance=_CHECK,
                hostname=_CHECK,
                image=images.node,
                network=net,
                ip=_CHECK_IP,
                mirror_ip=network.mirror_ip(_CHECK_CIDR),
                firewall=compile_rules(instance, view),
            ),
        )
        machine.start(client, lab, _CHECK)
        machine.require_reach(client, lab, _CHECK, gateway_of(_CHECK_CIDR))
    finally:
        machine.remove(client, lab, _CHECK)
        network.remove_network(client, net)
    (ROOT / "boot-checked").write_text(images.node)


def _serve(paths: LabPaths) -> None:
    """Start the serving process and wait until it answers."""
    paths.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    paths.log.touch(mode=PRIVATE)  # it quotes consoles
    with paths.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "swarmctl.lab.serve", paths.name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # outlives this command and its terminal
            env=_clean_environment(),
        )

    def answers() -> tuple[bool | None, str]:
        if process.poll() is not None:
            tail = "\n".join(paths.log.read_text().splitlines()[-15:])
            raise SwarmctlError(
                f"the lab's process ended with exit code {process.returncode}:\n{tail}"
            )
        if paths.serving_pid() != process.pid:
            return None, "the process is loading"
        try:
            requests.get(endpoint(paths), timeout=2)  # refused without a signature: it serves
        except requests.RequestException as error:
            return None, str(error)
        return True, ""

    try:
        wait_for("the lab's AWS API", answers, timeout=SERVE_TIMEOUT, interval=0.1)
    except BaseException:
        process.kill()
        process.wait()
        raise


def _clean_environment() -> dict[str, str]:
    """The environment without the variables that point at a lab."""
    drop = {*_UNSET, "AWS_ENDPOINT_URL", "SWARMCTL_STATE", "SWARMCTL_VPC_CIDR"}
    return {key: value for key, value in os.environ.items() if key not in drop}


def _stop_serving(paths: LabPaths) -> None:
    pid = paths.serving_pid()
    if not pid:
        return
    os.kill(pid, signal.SIGTERM)

    def ended() -> tuple[bool | None, str]:
        return (None if paths.serving_pid() else True), f"process {pid} still serves"

    try:
        wait_for("the lab's process to end", ended, timeout=DOWN_TIMEOUT, interval=0.1)
    except DeadlineExceededError:
        os.kill(pid, signal.SIGKILL)
        wait_for("the killed process to end", ended, timeout=5, interval=0.1)


def _remove_everything(client: docker.DockerClient, paths: LabPaths, keep: str = "") -> None:
    """Remove all containers, networks and files of a lab, except the file named ``keep``."""
    label = f"{machine.LAB_LABEL}={paths.name}"
    listed = client.api.containers(all=True, filters={"label": [label]})

    def remove(container: str) -> None:
        client.api.remove_container(container, v=True, force=True)

    with ThreadPoolExecutor(8) as pool:
        # list(), so that an exception of a removal is raised here.
        list(pool.map(remove, [c["Id"] for c in listed]))
    network.remove_unused(client, paths.name, vpcs=set())
    if not paths.directory.exists():
        return
    for entry in paths.directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != keep:
            entry.unlink()
    if keep:
        return
    if paths.directory.is_symlink():  # what it points to is the user's
        paths.directory.unlink()
    else:
        paths.directory.rmdir()
