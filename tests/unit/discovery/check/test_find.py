"""Which sources are found for a Swarm: an agent of another Swarm is not one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.check.find import Choice, agents
from swarmctl.discovery.consul.dns_server import DnsListener
from swarmctl.discovery.consul.identity import Identity
from swarmctl.discovery.edition import follow
from swarmctl.discovery.listeners.sockets import Place, listen_dns
from tests.unit.discovery.shop import shop

HERE = "127.0.0.1"
NODES = ("mgr_1", "wkr_1", "wkr_2")


class Members(BaseHTTPRequestHandler):
    """Consul's list of nodes."""

    def do_GET(self) -> None:  # the library's name
        body = json.dumps([{"Name": name} for name in NODES]).encode()
        self.send_response(200 if self.path == "/v1/agent/members" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Quiet."""


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    """An agent's API and DNS."""
    dns = DnsListener(listen_dns(Place(HERE, 0), "--dns"), Identity())
    dns.publish(follow(None, catalogue(shop()), (), 1))
    with ThreadingHTTPServer((HERE, 0), Members) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, dns.port
        server.shutdown()
    dns.close()


def names(*addresses: str, nodes: tuple[str, ...], ports: tuple[int, int]) -> list[str]:
    return [source.name for source in agents(addresses, nodes, ports)]


def test_an_agent_of_this_swarm_is_found_with_its_dns(ports: tuple[int, int]) -> None:
    found = names("127.0.0.2", HERE, HERE, nodes=NODES, ports=ports)
    assert found == ["Consul API (127.0.0.1)", "DNS (127.0.0.1)"]
    assert names(HERE, nodes=NODES, ports=(ports[0], 1)) == ["Consul API (127.0.0.1)"]


def test_an_agent_of_another_swarm_is_none(ports: tuple[int, int]) -> None:
    """Broken: a run reports the endpoints of another cluster as stale."""
    assert names(HERE, nodes=("other_1",), ports=ports) == []


def test_an_agent_that_is_behind_is_found_though_a_node_is_new(ports: tuple[int, int]) -> None:
    """Broken: the one agent whose answers are old is the one that is not compared."""
    found = names(HERE, nodes=(*NODES[1:], "wkr_3"), ports=ports)
    assert found == ["Consul API (127.0.0.1)", "DNS (127.0.0.1)"]


def test_what_the_user_names_is_asked_and_nothing_is_looked_for(ports: tuple[int, int]) -> None:
    choice = Choice(dns=Place(HERE, ports[1]))
    (source,) = choice.agent([HERE], NODES)
    assert (source.name, source.ask(["shop-web"]).fault) == ("DNS", "")
