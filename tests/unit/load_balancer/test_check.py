"""``discovery check`` and ``list`` with a load balancer: what differs is named, by service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from swarmctl.cloud.load_balancer import ElbApi
from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.check.compare import compare
from swarmctl.discovery.check.load_balancer import LoadBalancerCheck
from swarmctl.discovery.check.target_groups import TargetGroups
from swarmctl.discovery.listeners.load_balancer.urls import shown_urls
from swarmctl.swarm.model import Swarm
from tests.unit.discovery.shop import NODES
from tests.unit.engine_json import swarm
from tests.unit.load_balancer.balanced import CLUSTER, World, edition_of, http, runs
from tests.unit.load_balancer.elb import RefusedError

WEB = [http("shop_web", "/web/*", host="www.example.org")]
TASKS = [runs("shop_web", "wkr_1", 32768, 1), runs("shop_web", "wkr_2", 32768, 2)]
SHOP = swarm(NODES, WEB, TASKS)


class Server(ThreadingHTTPServer):
    """Answers as a load balancer would, with a status of the test's choice."""

    status = 200
    hosts: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.hosts.append(f"{self.headers['Host']}{self.path}")
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    serving = Server(("127.0.0.1", 0), Handler)
    serving.hosts = []
    thread = threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield serving
    serving.shutdown()
    thread.join(5)


@pytest.fixture
def world(server: Server) -> World:
    """A load balancer that is published, at the server's address."""
    made = World()
    made.elb.balancers[made.balancer]["DNSName"] = "127.0.0.1"
    made.elb.listeners[f"{made.balancer}/listener/80"]["Port"] = server.server_address[1]
    made.listener.publish(edition_of(SHOP))
    return made


def texts(world: World, snapshot: Swarm = SHOP) -> list[str]:
    """What the check says, without the source of the targets."""
    check = LoadBalancerCheck(world.new_listener)
    return [f"{d.name}: {d.text}" for d in check.examine(catalogue(snapshot))]


def targets(world: World, snapshot: Swarm = SHOP) -> list[str]:
    """What the targets' source says."""
    source = TargetGroups(
        CLUSTER, ElbApi(world.elb.client, lambda _: None), lambda: world.instances
    )
    found = catalogue(snapshot)
    return [f"{d.name} {d.place}: {d.text}" for d in compare(snapshot, found, [source.ask([])], {})]


def test_what_agrees_is_asked_for_by_the_rules_host_at_the_load_balancers_address(
    world: World, server: Server
) -> None:
    assert texts(world) == []
    assert targets(world) == []
    assert server.hosts == [f"www.example.org:{server.server_address[1]}/web/"]


def test_a_request_that_fails_is_named_with_the_url_and_the_answer(
    world: World, server: Server
) -> None:
    server.status = 503
    (only,) = texts(world)
    assert only.startswith("shop_web: a request for http://www.example.org:")
    assert only.endswith("/web/ failed: HTTP 503")
    server.status = 404  # the service's own
    assert texts(world) == []


def test_a_target_that_is_missing_and_one_that_is_stale_are_named(world: World) -> None:
    (group,) = world.elb.groups.values()
    group.targets.pop(("i-wkr1", 32768))
    group.targets["i-wkr2", 40000] = "healthy"
    group.targets["i-wkr1", 40001] = "draining"
    assert targets(world) == [
        "shop_web 10.42.0.5:32768: serves, but is not named",
        "shop_web 10.42.0.6:40000: is named, but nothing serves there (node wkr_2 is ready)",
    ]


def test_an_endpoint_that_is_not_behind_a_load_balancer_is_not_expected_there(
    world: World,
) -> None:
    plain = http("shop_api", None)
    both = swarm(NODES, [*WEB, plain], [*TASKS, runs("shop_api", "wkr_1", 40002)])
    assert targets(world, both) == []


def unhealthy(world: World) -> None:
    (group,) = world.elb.groups.values()
    group.targets["i-wkr1", 32768] = "unhealthy"


def no_rule(world: World) -> None:
    world.elb.rules.clear()


def other_rule(world: World) -> None:
    (rule,) = world.elb.rules.values()
    rule["Conditions"] = rule["Conditions"][:1]


def other_priority(world: World) -> None:
    (rule,) = world.elb.rules.values()
    rule["Priority"] = "7"


def other_delay(world: World) -> None:
    (group,) = world.elb.groups.values()
    group.attributes["deregistration_delay.timeout_seconds"] = "300"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (unhealthy, "serves, but the load balancer's health check of / fails"),
        (no_rule, "has no rule for it"),
        (other_rule, "is another than wanted"),
        (other_priority, "the priority of its rule of HTTP:"),
        (other_delay, "settings differ: deregistration_delay.timeout_seconds"),
    ],
)
def test_what_differs_is_named(world: World, damage: Callable[[World], None], words: str) -> None:
    damage(world)
    (only,) = texts(world)
    assert only.startswith("shop_web: ")
    assert words in only


def test_what_a_removed_service_left_is_named(world: World) -> None:
    found = texts(world, swarm(NODES, [], []))
    assert [text.partition(": ")[0] for text in found] == ["shop_web", "shop_web"]
    assert found[0].endswith("is one too many")
    assert "nothing wants its target group" in found[1]


def test_an_api_that_refuses_is_a_disagreement_and_no_traceback(world: World) -> None:
    def refuse(*_: object) -> None:
        raise RefusedError("AccessDenied", "not allowed")

    world.elb.hook = refuse
    assert "cannot be asked" in texts(world)[0]
    assert any("AccessDenied" in text for text in targets(world))


def test_the_urls_of_a_service_name_its_hosts_and_paths() -> None:
    world = World()
    api = ElbApi(world.elb.client, lambda _: None)
    services = [
        http("a", "/a/*, /a"),
        http("b", host="*.example.org"),
        http("c", None),
    ]
    found = catalogue(swarm(NODES, services, []))
    assert shown_urls(CLUSTER, found.routes, api) == {
        "a": ["http://swarm-app.elb.example/a", "http://swarm-app.elb.example/a/"],
        "b": ["http://www.example.org/"],
    }
    world.elb.add_listener(world.balancer, 443)
    assert shown_urls(CLUSTER, found.routes, api)["b"] == ["https://www.example.org/"]
    assert shown_urls("other", found.routes, api) == {}
    assert shown_urls(CLUSTER, (), api) == {}
