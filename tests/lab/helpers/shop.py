"""The stack ``microservices``, deployed as ``shop``, and requests that probe it."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.support import BIN, CLUSTER, ROOT, Lab

SHOP = "shop"
SECRET = "shop_auth_key"
SMALL = (
    f"--as={SHOP}",
    "--set=publish=host",
    f"--set=auth.key_secret={SECRET}",
    "--set=web.replicas=3",
    "--set=auth.replicas=2",
    "--set=service.replicas=2",
)
HZ = 10


@dataclass
class Shop:
    """The stack on disk and in the Swarm."""

    lab: Lab
    folder: Path
    others: list[str] = field(default_factory=list)

    def deploy(self, *words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self.lab.swarmctl("stack", "deploy", str(folder or self.folder), *SMALL, *words)

    def start(self, *words: str, folder: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(BIN / "swarmctl"), "stack", "deploy", str(folder), *SMALL, *words],
            cwd=ROOT,
            env=self.lab.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def diff(self) -> str:
        done = self.lab.swarmctl("stack", "diff", str(self.folder), *SMALL, "--exit-code")
        assert done.returncode in (0, 1), done.stderr
        return done.stdout

    def broken(self, old: str, new: str) -> Path:
        """A copy of the stack with a change in its template, in the part of ``service``."""
        copy = self.folder.parent / "broken"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.folder, copy)
        template = copy / "docker-compose.yml.j2"
        head, mark, rest = template.read_text().partition("\n  service:\n")
        assert old in rest
        template.write_text(head + mark + rest.replace(old, new, 1))
        return copy

    def manager(self, command: str) -> str:
        done = self.lab.ssh(f"{CLUSTER}_mgr1", command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def versions(self) -> str:
        """Versions of all services, configs and secrets: any update changes them."""
        return self.manager(
            "docker service ls -q --filter label=com.docker.stack.namespace=shop | "
            "xargs docker service inspect --format '{{.ID}} {{.Version.Index}} {{.UpdatedAt}}'; "
            "docker config ls -q; docker secret ls -q; docker network ls -q --filter scope=swarm"
        )

    def at_rest(self) -> tuple[bool | None, str]:
        """Whether no service is being updated or rolled back."""
        states = self.manager(
            "docker service ls -q --filter label=com.docker.stack.namespace=shop | "
            "xargs docker service inspect "
            "--format '{{with .UpdateStatus}}{{.State}}{{else}}none{{end}}'"
        )
        busy = {"updating", "rollback_started"} & set(states.split())
        return (None if busy else True), states

    def entry(self) -> tuple[str, int]:
        service = next(s for s in self.lab.status()["services"] if s["name"] == f"{SHOP}_entry")
        port = service["ports"][0]
        return self.lab.address(port["node"]), port["published"]


@dataclass
class Probes:
    """Requests through the entry, ten a second, and those that failed."""

    host: str
    port: int
    sent: int = 0
    failed: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, path: str) -> None:
        while not self.stop.wait(3 / HZ):
            self.sent += 1
            problem = self.ask(path)
            if problem:
                self.failed.append(f"{path}: {problem}")

    def ask(self, path: str) -> str:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as fault:
            return repr(fault)
        finally:
            connection.close()
        return "" if status == 200 else str(status)


@contextmanager
def probing(shop: Shop) -> Iterator[Probes]:
    """Request /, /auth and /service meanwhile; every answer must be 200."""
    probes = Probes(*shop.entry())
    threads = [threading.Thread(target=probes.run, args=(p,)) for p in ("/", "/auth", "/service")]
    for thread in threads:
        thread.start()
    try:
        yield probes
    finally:
        probes.stop.set()
        for thread in threads:
            thread.join()
    assert probes.sent >= 3, "not every path was asked even once"
    assert probes.failed == [], f"{len(probes.failed)} of {probes.sent} requests failed"
