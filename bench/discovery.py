"""How far discovery is behind the Swarm, and what its agent costs.

From the journals of kills: seconds from Swarm's Down until a listener named the endpoint no more,
and from a healthy replacement until it was named. Both include the time from one question to the
next. The agent's memory is the most it ever had; its calls to AWS are its own count.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import boto3
import requests
from rich.table import Table

from bench.support import BIN, CIDR, CLUSTER, ROOT, command, lab

NAMESPACE = "bench.internal"
HTTP = "127.0.0.1:18500"
DNS = "127.0.0.1:18600"
VICTIMS = (f"{CLUSTER}_wkr2", f"{CLUSTER}_wkr3")
SIZES = ["-e", f"vpc_cidr={CIDR}", "-e", "managers=1", "-e", "workers=4"]
# Longer than the agent's own interval for reading everything again.
QUIET_S = 330.0
CHANGES = 5
_CALLS = re.compile(r"swarmctl_discovery_aws_calls_total\{.*\} (\d+)")


@dataclass
class Delays:
    """Seconds, one for each endpoint.

    Attributes:
        gone: from Down until it was named no more.
        named: from healthy until it was named.
    """

    gone: list[float] = field(default_factory=list)
    named: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Figures:
    """All figures.

    Attributes:
        delays: by listener.
        memory_mib: of the agent, the most it had.
        quiet_calls: to AWS an hour while nothing changes.
        busy_calls: to AWS an hour with one changed task a minute.
    """

    delays: dict[str, Delays]
    memory_mib: float
    quiet_calls: float
    busy_calls: float


def measure(kills: int, work: Path, note: Callable[[str], None]) -> Figures:
    """Kill workers while an agent publishes; the journals are written to ``work``."""
    with lab() as (variables, _):
        env = os.environ | variables | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        command([str(BIN / "ansible-playbook"), "playbooks/site.yml", *SIZES], env)
        _create_namespace(variables)
        with _agent(env) as process:
            note(f"discovery: {QUIET_S:.0f} s without a change")
            quiet = _calls_an_hour(lambda: time.sleep(QUIET_S))  # the time that is measured
            note(f"discovery: {CHANGES} changes, one a minute")
            busy = _calls_an_hour(lambda: _change(env))
            note(f"discovery: {kills} kills")
            for index in range(kills):
                _kill(env, VICTIMS[index % len(VICTIMS)], work)
            memory = _peak_mib(process.pid)
    paths = sorted(work.glob("*/journal.json"))
    return Figures(delays(json.loads(p.read_text()) for p in paths), memory, quiet, busy)


def delays(journals: Iterator[dict[str, Any]]) -> dict[str, Delays]:
    """The delays by listener, from journals of lost nodes."""
    found: dict[str, Delays] = {}
    for journal in journals:
        for listener in journal["listeners"]:
            name = listener["name"].partition(" (")[0]
            of = found.setdefault(name, Delays())
            of.gone += (
                one["until_s"] - one["noticed_s"]
                for one in listener["stale"]
                if one["noticed_s"] is not None
            )
            of.named += listener["named_s"]
    return found


def table(figures: Figures) -> Table:
    """Medians and maxima by listener."""
    title = (
        f"discovery; agent: {figures.memory_mib:.0f} MiB, calls to AWS an hour: "
        f"{figures.quiet_calls:.0f} unchanged, {figures.busy_calls:.0f} with a change a minute"
    )
    view = Table("listener", "Down → gone", "healthy → named", title=title)
    for name, of in figures.delays.items():
        view.add_row(name, _spread(of.gone), _spread(of.named))
    return view


def as_json(figures: Figures) -> dict[str, Any]:
    """The figures for the results file."""
    return asdict(figures)


def _spread(values: list[float]) -> str:
    if not values:
        return "-"
    return f"{statistics.median(values):.2f} s (most {max(values):.2f} s, {len(values)} endpoints)"


def _create_namespace(variables: dict[str, str]) -> None:
    region = variables["AWS_REGION"]
    session = boto3.Session(
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=region,
    )
    url = variables["AWS_ENDPOINT_URL"]
    vpcs = session.client("ec2", endpoint_url=url).describe_vpcs()["Vpcs"]
    vpc = next(each["VpcId"] for each in vpcs if each["CidrBlock"] == CIDR)
    session.client("servicediscovery", endpoint_url=url).create_private_dns_namespace(
        Name=NAMESPACE, Vpc=vpc, Tags=[{"Key": "swarmctl:cluster", "Value": CLUSTER}]
    )


@contextmanager
def _agent(env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """An agent that publishes everywhere; it has published when this begins."""
    words = ["discovery", "run", "--http", HTTP, "--dns", DNS, "--cloud-map", NAMESPACE]
    process = subprocess.Popen(
        [str(BIN / "swarmctl"), *words], cwd=ROOT, env=env, stderr=subprocess.DEVNULL
    )
    try:
        check = ["discovery", "check", "--http", HTTP, "--dns", DNS]
        deadline = time.monotonic() + 60
        while True:
            done = subprocess.run(
                [str(BIN / "swarmctl"), *check], cwd=ROOT, env=env, capture_output=True, check=False
            )
            if done.returncode == 0:
                break
            if time.monotonic() > deadline:
                raise SystemExit(f"discovery never agreed: {done.stdout.decode()}")
        yield process
    finally:
        process.terminate()
        process.wait(20)


def _change(env: dict[str, str]) -> None:
    """Replace one task a minute."""
    for _ in range(CHANGES):
        until = time.monotonic() + 60
        command(
            [str(BIN / "swarmctl"), "chaos", "run", "task-kill", "--target",
             "service:three_tier_web", "--count", "1", "--yes", "--consul", HTTP,
             "--runs-dir", str(ROOT / "runs" / "bench-changes")],
            env,
        )  # fmt: skip
        time.sleep(max(0.0, until - time.monotonic()))  # the rate that is measured: one a minute


def _kill(env: dict[str, str], victim: str, runs: Path) -> None:
    # Swarm moves no task to a node that came back: it must be filled before a kill.
    command([str(BIN / "swarmctl"), "rebalance", "--yes"], env)
    command(
        [str(BIN / "swarmctl"), "chaos", "run", "instance-stop", "--force", "--target", victim,
         "--consul", HTTP, "--dns", DNS, "--runs-dir", str(runs)],
        env,
    )  # fmt: skip


def _calls_an_hour(work: Callable[[], None]) -> float:
    """The agent's calls to AWS during some work, as if it went on for an hour."""
    began, before = time.monotonic(), _calls()
    work()
    return (_calls() - before) * 3600 / (time.monotonic() - began)


def _calls() -> int:
    text = requests.get(f"http://{HTTP}/metrics", timeout=10).text
    return sum(int(count) for count in _CALLS.findall(text))


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024
