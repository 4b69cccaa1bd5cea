"""A running ``swarmctl discovery run``, what it names, and what there is to name."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import requests

from swarmctl.wait import wait_for
from tests.lab.support import BIN, ROOT, Lab

_STARTED = re.compile(r"Consul API on http://(\S+), DNS on 127\.0\.0\.1:(\d+)")


@dataclass
class Agent:
    """A process and its log."""

    process: subprocess.Popen[bytes]
    log: Path
    http: str = ""
    dns: int = 0

    def wait_until_started(self) -> None:
        """Wait for the line of its log that names its ports."""

        def started() -> tuple[re.Match[str] | None, str]:
            ended, text = self.process.poll(), self.log.read_text()
            assert ended is None, text[-3000:]
            return _STARTED.search(text), text[-3000:]

        ports = wait_for("the agent to start", started, timeout=60)
        self.http, self.dns = ports[1], int(ports[2])

    def by_http(self, name: str) -> set[str]:
        """The places of a service, as the Consul API names them."""
        found = requests.get(f"http://{self.http}/v1/health/service/{name}?passing", timeout=5)
        return {f"{e['Service']['Address']}:{e['Service']['Port']}" for e in found.json()}

    def by_dns(self, name: str) -> set[str]:
        """The places of a service, as DNS names them."""
        query = dns.message.make_query(f"{name}.service.consul", "SRV", payload=8192)
        found, _ = dns.query.udp_with_fallback(query, "127.0.0.1", 5, self.dns)
        address = {rrset.name: rrset[0].address for rrset in found.additional}
        return {f"{address[r.target]}:{r.port}" for rrset in found.answer for r in rrset}


@contextmanager
def running_agent(lab: Lab, log: Path, *options: str) -> Iterator[Agent]:
    """An agent on free ports that is told to end, and ends well.

    Args:
        lab: whose cluster.
        log: the file for its log.
        options: further ones.
    """
    ports = ("--http", "127.0.0.1:0", "--dns", "127.0.0.1:0")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(BIN / "swarmctl"), "discovery", "run", *ports, *options],
            cwd=ROOT,
            env=lab.env,
            stdin=subprocess.DEVNULL,
            stderr=output,
        )
    running = Agent(process, log)
    try:
        running.wait_until_started()
        yield running
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()[-3000:]
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait(10)


def endpoints(lab: Lab, service: str) -> list[dict[str, Any]]:
    """A service's endpoints in ``swarmctl discovery list``: those that the nodes have."""
    done = lab.swarmctl("discovery", "list", service, "--format", "json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["endpoints"]
    return found


def places(found: list[dict[str, Any]]) -> set[str]:
    """Addresses with ports, as the Consul API and DNS name them."""
    return {f"{e['address']}:{e['port']}" for e in found}
