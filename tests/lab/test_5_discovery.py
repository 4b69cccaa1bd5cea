"""Discovery on a real Swarm: what it names is what serves, also while a worker dies."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dns.message
import dns.query
import pytest
import requests

from swarmctl.wait import wait_for
from tests.lab.support import BIN, CLUSTER, ROOT, STACK, Cluster, Lab, healthy, serving_on

pytestmark = pytest.mark.timeout(420)

PINNED = f"{CLUSTER}_wkr1"  # where the database is
WEB = f"{STACK}_web"
NAME = WEB.replace("_", "-")
_STARTED = re.compile(r"Consul API on http://(\S+), DNS on 127\.0\.0\.1:(\d+)")


@dataclass
class Agent:
    """A running ``swarmctl discovery run``."""

    process: subprocess.Popen[str]
    http: str = ""
    dns: int = 0

    def wait_until_started(self) -> None:
        """Read its log up to the line that names its ports."""
        assert self.process.stderr is not None
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            if started := _STARTED.search(line):
                self.http, self.dns = started[1], int(started[2])
                return
        raise AssertionError("".join(lines))

    def by_http(self) -> set[str]:
        """The web's places, as the Consul API names them."""
        found = requests.get(f"http://{self.http}/v1/health/service/{NAME}?passing", timeout=5)
        return {f"{e['Service']['Address']}:{e['Service']['Port']}" for e in found.json()}

    def by_dns(self) -> set[str]:
        """The web's places, as DNS names them."""
        query = dns.message.make_query(f"{NAME}.service.consul", "SRV", payload=8192)
        found, _ = dns.query.udp_with_fallback(query, "127.0.0.1", 5, self.dns)
        address = {rrset.name: rrset[0].address for rrset in found.additional}
        return {f"{address[r.target]}:{r.port}" for rrset in found.answer for r in rrset}


@pytest.fixture
def agent(lab: Lab, cluster: Cluster) -> Iterator[Agent]:
    """An agent that is told to end, and ends well."""
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=120, interval=1)
    words = ["discovery", "run", "--http", "127.0.0.1:0", "--dns", "127.0.0.1:0"]
    running = Agent(
        subprocess.Popen(
            [str(BIN / "swarmctl"), *words],
            cwd=ROOT,
            env=lab.env,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    try:
        running.wait_until_started()
        yield running
        running.process.send_signal(signal.SIGTERM)
        output = running.process.communicate(timeout=20)[1]
        assert running.process.returncode == 0, output[-2000:]
        assert "Traceback" not in output
    finally:
        running.process.kill()
        running.process.communicate(timeout=10)


def listed(lab: Lab) -> list[dict[str, Any]]:
    """The web's endpoints in ``swarmctl discovery list``."""
    done = lab.swarmctl("discovery", "list", WEB, "--format", "json")
    assert done.returncode == 0, done.stderr
    endpoints: list[dict[str, Any]] = json.loads(done.stdout)["endpoints"]
    return endpoints


def places(endpoints: list[dict[str, Any]]) -> set[str]:
    return {f"{e['address']}:{e['port']}" for e in endpoints}


def agree(lab: Lab, agent: Agent) -> subprocess.CompletedProcess[str]:
    dns_at = f"127.0.0.1:{agent.dns}"
    return lab.swarmctl("discovery", "check", "--http", agent.http, "--dns", dns_at)


def test_the_endpoints_are_the_replicas_that_serve(lab: Lab, agent: Agent) -> None:
    """Broken: a client is sent to a replica that does not exist, or never to one that does."""
    (web,) = [s for s in lab.status()["services"] if s["name"] == WEB]
    endpoints = listed(lab)
    by_node = {node: sum(e["node"] == node for e in endpoints) for node in web["nodes"]}
    assert by_node == web["nodes"]
    assert agent.by_http() == agent.by_dns() == places(endpoints)
    checked = agree(lab, agent)
    assert checked.returncode == 0, checked.stdout


def test_a_dead_workers_endpoints_go_and_their_replacements_come(lab: Lab, agent: Agent) -> None:
    """Broken: clients are sent to a dead machine for as long as the agent runs."""
    status = lab.status()
    workers = {n["name"]: n["address"] for n in status["nodes"] if n["role"] == "worker"}
    victim = max(set(workers) - {PINNED}, key=lambda name: serving_on(status, name))
    instance = lab.instance(victim)["InstanceId"]
    wait_for(
        f"the agent to name the replicas on {victim}",
        lambda: _names(agent, workers[victim]),
        timeout=60,
    )
    lab.ec2.stop_instances(InstanceIds=[instance], Force=True)
    try:
        wait_for(
            "the dead worker's endpoints to go and ten to be left",
            lambda: _moved(agent, workers[victim]),
            timeout=120,
        )
        wait_for(
            "the sources to agree",
            lambda: _agreed(agree(lab, agent)),
            timeout=60,
        )
        assert agent.by_http() == agent.by_dns() == places(listed(lab))
    finally:
        lab.ec2.start_instances(InstanceIds=[instance])
        lab.wait_until_running(victim)


def _names(agent: Agent, address: str) -> tuple[bool | None, str]:
    named = agent.by_dns()
    return any(place.startswith(f"{address}:") for place in named) or None, f"{sorted(named)}"


def _moved(agent: Agent, dead: str) -> tuple[bool | None, str]:
    named, by_http = agent.by_dns(), agent.by_http()
    gone = not any(place.startswith(f"{dead}:") for place in named | by_http)
    return (gone and len(named) == len(by_http) == 10) or None, f"{sorted(named)}"


def _agreed(done: subprocess.CompletedProcess[str]) -> tuple[bool | None, str]:
    return (done.returncode == 0) or None, done.stdout[-1500:] + done.stderr
