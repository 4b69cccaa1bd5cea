"""Discovery on a real Swarm: what it names is what serves, also while a worker dies."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from swarmctl.wait import wait_for
from tests.lab.helpers.agent import Agent, endpoints, places, running_agent
from tests.lab.helpers.clients import Clients, running_clients
from tests.lab.support import CLUSTER, STACK, Cluster, Lab, healthy

pytestmark = pytest.mark.timeout(420)

PINNED = f"{CLUSTER}_wkr1"  # where the database is
WEB = f"{STACK}_web"
NAME = WEB.replace("_", "-")


@pytest.fixture
def agent(lab: Lab, cluster: Cluster, tmp_path: Path) -> Iterator[Agent]:
    """An agent of a Swarm that is whole, with replicas of the web on a worker to kill.

    Swarm avoids a worker on which a service has failed five times within 5 minutes, as it has on
    those that were killed before.
    """
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=120, interval=1)

    def spread() -> tuple[str | None, str]:
        if chosen := victim(lab):
            return chosen, ""
        done = lab.swarmctl("rebalance", "--yes", "--service", WEB)
        assert done.returncode == 0, done.stderr
        return victim(lab), done.stdout

    wait_for("replicas of the web beside the database's worker", spread, timeout=330, interval=5)
    with running_agent(lab, tmp_path / "agent.log") as running:
        yield running


def victim(lab: Lab) -> str | None:
    """The worker with most replicas of the web, never the database's; None if none has any."""
    (web,) = [s for s in lab.status()["services"] if s["name"] == WEB]
    by_node = {name: n for name, n in web["nodes"].items() if n and name != PINNED}
    return max(by_node, key=lambda name: by_node[name], default=None)


def address_of(lab: Lab, name: str) -> str:
    """A node's private address."""
    return next(str(n["address"]) for n in lab.status()["nodes"] if n["name"] == name)


def agree(lab: Lab, agent: Agent) -> subprocess.CompletedProcess[str]:
    dns_at = f"127.0.0.1:{agent.dns}"
    return lab.swarmctl("discovery", "check", "--http", agent.http, "--dns", dns_at)


def test_the_endpoints_are_the_replicas_that_serve(lab: Lab, agent: Agent) -> None:
    """Broken: a client is sent to a replica that does not exist, or never to one that does."""
    (web,) = [s for s in lab.status()["services"] if s["name"] == WEB]
    found = endpoints(lab, WEB)
    by_node = {node: sum(e["node"] == node for e in found) for node in web["nodes"]}
    assert by_node == web["nodes"]
    assert agent.by_http(NAME) == agent.by_dns(NAME) == places(found)
    checked = agree(lab, agent)
    assert checked.returncode == 0, checked.stdout


def test_a_dead_workers_endpoints_go_and_their_replacements_come(lab: Lab, agent: Agent) -> None:
    """Broken: clients are sent to a dead machine for as long as the agent runs."""
    worker = victim(lab)
    assert worker
    address = address_of(lab, worker)
    instance = lab.instance(worker)["InstanceId"]
    wait_for(
        f"the agent to name the replicas on {worker}",
        lambda: _names(agent, address),
        timeout=60,
    )
    lab.ec2.stop_instances(InstanceIds=[instance], Force=True)
    try:
        wait_for(
            "the dead worker's endpoints to go and ten to be left",
            lambda: _moved(agent, address),
            timeout=120,
        )
        wait_for(
            "the sources to agree",
            lambda: _agreed(agree(lab, agent)),
            timeout=60,
        )
        assert agent.by_http(NAME) == agent.by_dns(NAME) == places(endpoints(lab, WEB))
    finally:
        lab.ec2.start_instances(InstanceIds=[instance])
        lab.wait_until_running(worker)


def _names(agent: Agent, address: str) -> tuple[bool | None, str]:
    named = agent.by_dns(NAME)
    return any(place.startswith(f"{address}:") for place in named) or None, f"{sorted(named)}"


@pytest.mark.long  # installs the clients from Debian
def test_real_clients_find_exactly_the_live_replicas_while_a_worker_is_killed(
    lab: Lab, agent: Agent, engine: docker.DockerClient, tmp_path: Path
) -> None:
    """Broken: HAProxy, Prometheus, dig or py-consul as Debian ships them use a dead replica."""
    status = lab.status()
    addresses = {n["name"].replace("_", "-"): n["address"] for n in status["nodes"]}
    worker = victim(lab)
    assert worker
    instance = lab.instance(worker)["InstanceId"]
    dead = f"{addresses[worker.replace('_', '-')]}:"
    with running_clients(engine, agent, NAME, addresses, tmp_path) as clients:
        before = _all_find(clients, lab)
        assert any(place.startswith(dead) for place in before)
        lab.ec2.stop_instances(InstanceIds=[instance], Force=True)
        try:
            wait_for("ten replicas elsewhere", lambda: _moved(agent, dead.rstrip(":")), timeout=120)
            after = _all_find(clients, lab)
            assert not any(place.startswith(dead) for place in after)
            assert len(after) == 10
        finally:
            lab.ec2.start_instances(InstanceIds=[instance])
            lab.wait_until_running(worker)


def test_a_run_tells_how_long_the_agent_named_the_dead_worker(
    lab: Lab, agent: Agent, tmp_path: Path
) -> None:
    """Broken: nobody learns from a run how long clients were sent to a dead machine."""
    worker = victim(lab)
    assert worker
    dead = f"{address_of(lab, worker)}:"
    words = ["--consul", agent.http, "--dns", f"127.0.0.1:{agent.dns}"]
    words += ["--target", worker, "--force", "--yes", "--runs-dir", str(tmp_path)]
    done = lab.swarmctl("chaos", "run", "instance-stop", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("*/journal.json")
    listeners = {one["name"]: one for one in json.loads(path.read_text())["listeners"]}
    for name in ("Consul API", "DNS"):
        stale = [one for one in listeners[name]["stale"] if one["place"].startswith(dead)]
        assert stale, f"{name} never named the dead worker"
        # None: the agent, another process, took it away before this one heard of it.
        own = [one["until_s"] - (one["noticed_s"] or one["until_s"]) for one in stale]
        assert max(own) < 5
        assert sum(one["lost"] for one in stale) > 0


def _all_find(clients: Clients, lab: Lab) -> set[str]:
    """Wait until every client uses exactly the live replicas, and return these."""
    live = places(endpoints(lab, WEB))

    def same() -> tuple[bool | None, str]:
        wrong = {who: sorted(used) for who, used in clients.all().items() if used != live}
        return (not wrong) or None, f"not {sorted(live)}: {wrong}"

    wait_for("every client to use the live replicas", same, timeout=20)
    return live


def _moved(agent: Agent, dead: str) -> tuple[bool | None, str]:
    named, by_http = agent.by_dns(NAME), agent.by_http(NAME)
    gone = not any(place.startswith(f"{dead}:") for place in named | by_http)
    return (gone and len(named) == len(by_http) == 10) or None, f"{sorted(named)}"


def _agreed(done: subprocess.CompletedProcess[str]) -> tuple[bool | None, str]:
    return (done.returncode == 0) or None, done.stdout[-1500:] + done.stderr
