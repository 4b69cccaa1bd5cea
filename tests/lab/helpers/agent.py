"""A running ``swarmctl discovery run``, and what it names."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dns.message
import dns.query
import requests

from tests.lab.support import BIN, ROOT, Lab

_STARTED = re.compile(r"Consul API on http://(\S+), DNS on 127\.0\.0\.1:(\d+)")


@dataclass
class Agent:
    """A process."""

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
def running_agent(lab: Lab, *words: str) -> Iterator[Agent]:
    """An agent on free ports that is told to end, and ends well.

    Args:
        lab: whose cluster.
        words: more options.
    """
    ports = ("--http", "127.0.0.1:0", "--dns", "127.0.0.1:0")
    running = Agent(
        subprocess.Popen(
            [str(BIN / "swarmctl"), "discovery", "run", *ports, *words],
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
