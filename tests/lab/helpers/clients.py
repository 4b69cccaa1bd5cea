"""HAProxy, Prometheus, dig and py-consul as Debian ships them, on the host's network.

Debian's Prometheus (2.42 in bookworm, 2.53 in trixie) is built without ``consul_sd_configs``
(``field consul_sd_configs not found in type config.ScrapeConfig``), so it uses DNS.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import requests

from swarmctl.lab.image.recipes import image_tags
from tests.lab.helpers.agent import Agent

_IMAGE = "swarmctl-lab-tests/clients"
_LABEL = "swarmctl.lab.tests=clients"
# dnsmasq listens here on port 53 for Prometheus, which asks the system's resolver.
_RESOLVER = "127.0.86.53"
_STATS, _PROMETHEUS = 18404, 18909
# Flags of srv_admin_state; a server whose name is gone from DNS is in maintenance (0x20).
_MAINTENANCE = 0x27
_TARGET = re.compile(r"p(\d+)\.([a-z0-9-]+)\.node\.dc1\.consul\.?:?\d*")

_HAPROXY = """
global
  maxconn 200
  stats socket ipv4@127.0.0.1:{stats} level operator
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
resolvers consul
  nameserver agent 127.0.0.1:{dns}
  accepted_payload_size 8192
  timeout resolve 1s
  hold obsolete 0s
backend web
  server-template web 20 _{name}._tcp.service.consul resolvers consul init-addr none
"""

_PROMETHEUS_FILE = """
scrape_configs:
  - job_name: web
    scrape_interval: 1s
    scrape_timeout: 1s
    dns_sd_configs:
      - names: [_{name}._tcp.service.consul]
        refresh_interval: 1s
"""

_PY_CONSUL = """
import consul, json, sys
host, port = sys.argv[1].split(":")
found = consul.Consul(host, int(port)).health.service(sys.argv[2], passing=True)[1]
print(json.dumps([f"{e['Service']['Address']}:{e['Service']['Port']}" for e in found]))
"""


@dataclass
class Clients:
    """The running clients.

    Args:
        container: that they run in.
        agent: that they ask.
        name: of the service that they are configured with.
        addresses: of the nodes by their DNS label.
    """

    container: Any
    agent: Agent
    name: str
    addresses: dict[str, str]

    def all(self) -> dict[str, set[str]]:
        """The places that each client uses now, by its name."""
        return {
            "HAProxy": self._haproxy(),
            "Prometheus": self._prometheus(),
            "dig": self._dig(),
            "py-consul": self._py_consul(),
        }

    def _run(self, *words: str) -> str:
        code, output = self.container.exec_run(list(words))
        text: str = output.decode()
        assert code == 0, f"{words}: {text[-2000:]}"
        return text

    def _haproxy(self) -> set[str]:
        """The servers that it sends requests to, from its runtime API."""
        with socket.create_connection(("127.0.0.1", _STATS), timeout=5) as api:
            api.sendall(b"show servers state web\n")
            answer = api.makefile().read()
        _, names, *lines = answer.splitlines()
        rows = [dict(zip(names.split()[1:], line.split(), strict=False)) for line in lines if line]
        return {
            f"{row['srv_addr']}:{row['srv_port']}"
            for row in rows
            if row["srv_addr"] != "-" and not int(row["srv_admin_state"]) & _MAINTENANCE
        }

    def _prometheus(self) -> set[str]:
        answer = requests.get(f"http://127.0.0.1:{_PROMETHEUS}/api/v1/targets", timeout=5)
        targets = answer.json()["data"]["activeTargets"]
        return {self._place(target["discoveredLabels"]["__address__"]) for target in targets}

    def _dig(self) -> set[str]:
        name = f"_{self.name}._tcp.service.consul"
        found = self._run(
            "dig", "@127.0.0.1", "-p", str(self.agent.dns), "+short", "+bufsize=8192", name, "SRV"
        )
        return {self._place(line.split()[3]) for line in found.splitlines() if line.strip()}

    def _py_consul(self) -> set[str]:
        return set(json.loads(self._run("python3", "-c", _PY_CONSUL, self.agent.http, self.name)))

    def _place(self, target: str) -> str:
        """The place that a SRV record's target stands for."""
        found = _TARGET.fullmatch(target)
        assert found, target
        return f"{self.addresses[found[2]]}:{found[1]}"


@contextmanager
def running_clients(
    engine: docker.DockerClient, agent: Agent, name: str, addresses: dict[str, str], work: Path
) -> Iterator[Clients]:
    """Build the image if need be, start the clients, and remove them at the end."""
    engine.images.build(
        path=str(Path(__file__).parent / "clients_image"),
        buildargs={"BASE": image_tags().base},
        tag=_IMAGE,
        rm=True,
    )
    (work / "haproxy.cfg").write_text(_HAPROXY.format(dns=agent.dns, name=name, stats=_STATS))
    (work / "prometheus.yml").write_text(_PROMETHEUS_FILE.format(name=name))
    (work / "resolv.conf").write_text(f"nameserver {_RESOLVER}\n")
    dnsmasq = f"--listen-address={_RESOLVER} --bind-interfaces --no-resolv --no-hosts"
    script = f"""
    dnsmasq {dnsmasq} --server=/consul/127.0.0.1#{agent.dns} --cache-size=0
    haproxy -D -f /work/haproxy.cfg
    exec prometheus --config.file=/work/prometheus.yml --storage.tsdb.path=/tmp/prometheus \\
      --web.listen-address=127.0.0.1:{_PROMETHEUS}
    """
    container = engine.containers.run(
        _IMAGE,
        ["sh", "-ec", script],
        detach=True,
        network_mode="host",
        labels=[_LABEL],
        volumes={
            str(work): {"bind": "/work", "mode": "ro"},
            str(work / "resolv.conf"): {"bind": "/etc/resolv.conf", "mode": "ro"},
        },
    )
    try:
        yield Clients(container, agent, name, addresses)
    except Exception as error:
        error.add_note(container.logs(tail=50).decode())
        raise
    finally:
        container.remove(force=True)
