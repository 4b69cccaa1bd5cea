"""The agent on a load balancer's machine: it checks the targets, feeds HAProxy, and reports.

It reads what is wanted from stdin and writes reports to stdout, one JSON document a line.
It runs where nothing of the lab is installed: the standard library alone.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from dataclasses import dataclass
from typing import Any

from swarmctl.lab.balancer.haproxy import FOLDER, HAProxy
from swarmctl.lab.balancer.health import (
    FAILED,
    TIMEOUT,
    TRAFFIC_PORT,
    Health,
    Outcome,
    after,
    answered,
    receiving,
)

RETRY = 0.2  # seconds, until servers that still have connections are removed


@dataclass(frozen=True, slots=True)
class Target:
    """A registered target; one that was registered again is another."""

    group: str
    name: str  # ID:PORT
    address: str
    port: int
    registered: float

    @property
    def server(self) -> str:
        """Its server in HAProxy."""
        return f"{self.group}/{self.name}_{self.address}"


class Agent:
    """Makes HAProxy and the checks follow what is wanted."""

    def __init__(self) -> None:
        """Nothing is wanted yet."""
        self._haproxy = HAProxy()
        self._read_last: dict[str, Any] = {}
        self._wanted: dict[str, Any] = {}  # what is followed now
        self._checks: dict[Target, asyncio.Task[None]] = {}
        self._health: dict[Target, Health] = {}
        self._draining: set[Target] = set()
        self._changed = asyncio.Event()
        self._reported: dict[tuple[str, str], dict[str, Any]] = {}

    async def run(self, lines: asyncio.StreamReader) -> None:
        """Follow ``lines`` until HAProxy ends, or a part of this program fails."""
        jobs = [self._read(lines), self._follow(), self._haproxy.ended()]
        done, _ = await asyncio.wait(
            [asyncio.create_task(job) for job in jobs], return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            task.result()

    async def _read(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            self._read_last = json.loads(line)
            self._changed.set()
        await asyncio.Event().wait()  # the lab has ended; the load balancer goes on

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._wanted = self._read_last
            self._choose_checks()
            try:
                if await self._haproxy.apply(self._wanted, self._ready()):
                    asyncio.get_running_loop().call_later(RETRY, self._changed.set)
                self._report(serving=True)
                if answers := self._haproxy.unexpected:
                    self._report(error=f"HAProxy answered: {'; '.join(answers)}")
                    answers.clear()
            except RuntimeError as error:
                self._report(error=f"HAProxy refused the configuration: {error}")
            for t, health in self._health.items():
                self._report(
                    group=t.group, target=t.name, registered=t.registered,
                    state=health.state, reason=health.reason, description=health.description,
                )  # fmt: skip

    def _choose_checks(self) -> None:
        """Start the checks of new targets, and end those of targets that leave."""
        wanted = set[Target]()
        self._draining.clear()
        for key, group in self._wanted["groups"].items():
            for t in group["targets"]:
                target = Target(key, t["name"], t["address"], t["port"], t["registered"])
                (self._draining if t["draining"] else wanted).add(target)
        for target in self._checks.keys() - wanted:
            self._checks.pop(target).cancel()
            del self._health[target]
        for target in wanted - self._checks.keys():
            self._health[target] = Health()
            self._checks[target] = asyncio.create_task(self._check(target))

    def _ready(self) -> dict[str, bool]:
        """Every server, and whether it gets requests."""
        states: dict[str, dict[str, str]] = {}
        for target, health in self._health.items():
            states.setdefault(target.group, {})[target.server] = health.state
        ready = {target.server: False for target in self._draining}
        for group in states.values():
            chosen = receiving(group)
            ready |= {server: server in chosen for server in group}
        return ready

    async def _check(self, target: Target) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            check = self._wanted["groups"][target.group]["check"]  # it may have changed
            before = self._health[target]
            outcome = await probe(target.address, target.port, check)
            now = after(before, outcome, check["healthy"], check["unhealthy"])
            self._health[target] = now
            if (now.state, now.reason) != (before.state, before.reason):
                self._changed.set()
            due += check["interval"]
            await asyncio.sleep(max(0.0, due - clock()))

    def _report(self, **fields: Any) -> None:
        """Write a report, unless it is the last one again."""
        key = (fields.get("group", ""), fields.get("target", ""))
        if self._reported.get(key) != fields:
            self._reported[key] = fields
            sys.stdout.write(json.dumps(fields) + "\n")
            sys.stdout.flush()


async def probe(address: str, traffic_port: int, check: dict[str, Any]) -> Outcome:
    """One health check, as a load balancer on AWS makes it."""
    port = traffic_port if check["port"] == TRAFFIC_PORT else int(check["port"])
    context = None
    if check["tls"]:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    writer = None
    try:
        async with asyncio.timeout(check["timeout"]):
            reader, writer = await asyncio.open_connection(address, port, ssl=context)
            writer.write(
                f"GET {check['path']} HTTP/1.1\r\nHost: {address}:{port}\r\n"
                "Connection: close\r\nUser-Agent: ELB-HealthChecker/2.0\r\n\r\n".encode()
            )
            protocol, status, *_ = (await reader.readline()).split()
            return answered(int(status), check["codes"]) if protocol[:5] == b"HTTP/" else FAILED
    except TimeoutError:
        return TIMEOUT
    except (OSError, ValueError):
        return FAILED
    finally:
        if writer:
            writer.transport.abort()


async def main() -> None:
    """Serve until HAProxy ends."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    lines = asyncio.StreamReader(limit=64 << 20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    await Agent().run(lines)


if __name__ == "__main__":
    asyncio.run(main())
