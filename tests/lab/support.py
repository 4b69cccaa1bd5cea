"""A running lab and its Swarm, used as a user does: by command line and SSH."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from swarmctl.wait import wait_for

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
NAME = "test"
CLUSTER = "swarm_app"
STACK = "three_tier"

RECAP = re.compile(r"^(?P<host>\S+)\s+: ok=\d+\s+changed=(?P<changed>\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Lab:
    """A running lab, and how to run commands in it."""

    env: dict[str, str]
    ec2: EC2Client

    def run(self, *argv: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command from the project's directory; its output is captured as text."""
        return subprocess.run(
            argv,
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def swarmctl(self, *words: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run ``swarmctl``."""
        return self.run(str(BIN / "swarmctl"), *words, timeout=timeout)

    def playbook(self, name: str, *words: str) -> Playbook:
        """Run a playbook."""
        path = f"playbooks/{name}.yml"
        done = self.run(str(BIN / "ansible-playbook"), path, *words, timeout=600)
        return Playbook(done.returncode, done.stdout + done.stderr)

    def client(self, service: str) -> Any:
        """boto3's client for a service of the lab's AWS."""
        session: Any = boto3.Session(
            aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"],
            region_name=self.env["AWS_REGION"],
        )
        return session.client(service, endpoint_url=self.env["AWS_ENDPOINT_URL"])

    def status(self) -> dict[str, Any]:
        """The output of ``swarmctl status --format json``."""
        done = self.swarmctl("status", "--format", "json")
        assert done.returncode == 0, done.stderr
        parsed: dict[str, Any] = json.loads(done.stdout)
        return parsed

    def instance(self, name: str) -> dict[str, Any]:
        """The instance of that name, as DescribeInstances gives it, unless it is terminated."""
        found = self.ec2.describe_instances(
            Filters=[
                {"Name": "tag:Name", "Values": [name]},
                {
                    "Name": "instance-state-name",
                    "Values": ["pending", "running", "stopping", "stopped"],
                },
            ]
        )["Reservations"]
        assert len(found) == 1, f"{len(found)} instances are called {name}"
        instance: dict[str, Any] = dict(found[0]["Instances"][0])
        return instance

    def address(self, name: str) -> str:
        """The private address of an instance."""
        return str(self.instance(name)["PrivateIpAddress"])

    def wait_until_running(self, name: str) -> None:
        """Wait until EC2 reports an instance as running."""

        def running() -> tuple[bool | None, str]:
            state = self.instance(name)["State"]["Name"]
            return (True if state == "running" else None), f"it is {state}"

        wait_for(f"{name} to run", running, timeout=60)

    def ssh(self, name: str, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command on a node, over SSH with the playbooks' key."""
        cluster = Path(self.env["SWARMCTL_STATE"]) / "clusters" / CLUSTER
        instance = self.instance(name)
        return self.run(
            "ssh",
            "-o", "BatchMode=yes",
            "-o", "ConnectTimeout=5",
            "-o", f"HostKeyAlias={instance['InstanceId']}",
            "-o", f"UserKnownHostsFile={cluster / 'known_hosts'}",
            "-i", str(cluster / "id_ed25519"),
            f"admin@{instance['PrivateIpAddress']}",
            command,
        )  # fmt: skip


@dataclass(frozen=True)
class Playbook:
    """How a playbook run ended."""

    code: int
    output: str
    changed: int = field(init=False)

    def __post_init__(self) -> None:
        counts = [int(m["changed"]) for m in RECAP.finditer(self.output)]
        object.__setattr__(self, "changed", sum(counts) if counts else -1)

    @property
    def changes(self) -> list[str]:
        """The tasks that changed something, or would in check mode: their lines of output."""
        lines = (line.strip() for line in self.output.splitlines())
        return [line for line in lines if line.startswith(("changed: ", "would change: "))]

    def ok(self) -> Playbook:
        """Itself, if the run succeeded.

        Raises:
            AssertionError: it did not; the end of its output is shown.
        """
        assert self.code == 0, self.output[-6000:]
        assert self.changed >= 0, f"no recap: nothing ran\n{self.output[-2000:]}"
        return self


@dataclass(frozen=True)
class Cluster:
    """The shared Swarm, and how it was built."""

    check_before: Playbook
    instances_after_check: int
    first: Playbook


def journal(runs: Path) -> dict[str, Any]:
    """The journal of the only run in a directory."""
    (path,) = runs.glob("*/journal.json")
    parsed: dict[str, Any] = json.loads(path.read_text())
    return parsed


def serving_on(status: dict[str, Any], node: str) -> int:
    """Replicas that swarmctl counts as serving on a node."""
    return sum(s["nodes"].get(node, 0) for s in status["services"])


def healthy(lab: Lab) -> tuple[bool | None, str]:
    """For ``wait_for``: whether every node is ready and every replica serves."""
    done = lab.swarmctl("status", "--format", "json")
    if done.returncode:  # an election, perhaps
        return None, done.stderr
    status = json.loads(done.stdout)
    down = [n["name"] for n in status["nodes"] if n["state"] != "ready"]
    short = {s["name"]: (s["running"], s["wanted"]) for s in status["services"] if s["missing"]}
    return (True if status["healthy"] else None), f"down: {down}, short: {short}"
