"""``swarmctl.http.…`` labels: what each means, and what is said of a bad one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.routes.labels import KEYS, PREFIX, SETTINGS, Route
from swarmctl.discovery.routes.priority import FIRST, band, choose
from tests.unit.discovery.shop import NODES, port
from tests.unit.engine_json import service, swarm
from tests.unit.load_balancer.balanced import http

ROOT = Path(__file__).resolve().parents[3]


def the_route(**labels: str) -> Route:
    """The only route of a Swarm with one service with these labels."""
    found = catalogue(swarm(NODES, [http("shop_web", **labels)], []))
    assert not found.problems
    (route,) = found.routes
    return route


def problem(raw: dict[str, Any]) -> str:
    """Why a Swarm's only service is not behind the load balancer."""
    found = catalogue(swarm(NODES, [raw], []))
    assert not found.routes
    (only,) = found.problems
    return only.text


def setting(route: Route, key: str) -> str:
    return dict(route.settings)[SETTINGS[key].aws]


def test_paths_and_hosts_are_lists_with_commas() -> None:
    route = the_route(path=" /b/*,/a ,", host="WWW.example.org, *.example.org")
    assert route.paths == ("/a", "/b/*")
    assert route.hosts == ("*.example.org", "www.example.org")
    assert the_route(host="a.example.org").paths == ("/*",)


def test_a_service_without_labels_has_no_route_and_one_that_is_not_published_has_none() -> None:
    plain = service("shop_web", ports=[port(80)])
    hidden = http("shop_api", "/*")
    hidden["Spec"]["Labels"]["swarmctl.discovery.enable"] = "false"
    found = catalogue(swarm(NODES, [plain, hidden], []))
    assert not found.routes
    assert not found.problems


def test_times_may_have_a_unit() -> None:
    route = the_route(path="/", deregistration_delay="2m", health_interval="15", slow_start="0")
    assert setting(route, "deregistration-delay") == "120"
    assert setting(route, "health-interval") == "15"
    assert setting(route, "slow-start") == "0"


def test_the_health_checks_path_is_that_of_the_probes_unless_a_label_says_otherwise() -> None:
    raw = http("shop_web", "/*")
    raw["Spec"]["Labels"]["swarmctl.probe.path"] = "/deep"
    (route,) = catalogue(swarm(NODES, [raw], [])).routes
    assert setting(route, "health-path") == "/deep"
    assert setting(the_route(path="/*", health_path="/up"), "health-path") == "/up"
    assert setting(the_route(path="/*"), "health-path") == "/"


def test_the_target_port_is_the_labels_else_the_main_one() -> None:
    def raw(**labels: str) -> dict[str, Any]:
        return {
            **(made := http("shop_web", "/*", **labels)),
            "Spec": {**made["Spec"], "EndpointSpec": {"Ports": [port(8080), port(443), port(80)]}},
        }

    assert catalogue(swarm(NODES, [raw()], [])).routes[0].port == 80
    assert catalogue(swarm(NODES, [raw(port="8080")], [])).routes[0].port == 8080
    main = raw()
    main["Spec"]["Labels"]["swarmctl.discovery.port"] = "443"
    assert catalogue(swarm(NODES, [main], [])).routes[0].port == 443


def test_a_short_interval_has_a_shorter_timeout() -> None:
    """AWS refuses a timeout that is not less than the interval."""
    assert setting(the_route(path="/", health_interval="5s"), "health-timeout") == "4"


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"path": "auth"}, "swarmctl.http.path=auth: a path begins with /"),
        ({"path": "/a b"}, "a path has letters, digits"),
        ({"path": "/" + "a" * 128}, "it has 129 characters; at most 128"),
        ({"path": "/a,/b,/c,/d", "host": "a.org,b.org"}, "have 4 + 2 values"),
        ({"host": "localhost"}, "swarmctl.http.host=localhost: a host is a DNS name with a dot"),
        ({"host": "a.example.1"}, "a host is a DNS name with a dot"),
        ({"sticky": "true"}, "set swarmctl.http.path or swarmctl.http.host"),
        ({"path": ""}, "set swarmctl.http.path or swarmctl.http.host"),
        ({"path": "/", "pats": "/x"}, "swarmctl.http.pats: there is no such label"),
        ({"path": "/", "strip_prefix": "/a*"}, "swarmctl.http.strip-prefix=/a*: it cannot have *"),
        ({"path": "/auth*", "strip_prefix": "/auth"}, "the path /auth* is not below it"),
        ({"path": "/", "priority": "0"}, "priority=0: write a number from 1 to 50000"),
        ({"path": "/", "priority": "٣"}, "write a number from 1"),
        ({"path": "/", "port": "81"}, "port=81: no such target port is published; known: 80"),
        ({"path": "/", "sticky": "maybe"}, "swarmctl.http.sticky=maybe: write true or false"),
        ({"path": "/", "deregistration_delay": "2h"}, "write a time of 0 to 3600 seconds"),
        ({"path": "/", "deregistration_delay": "9" * 400}, "write a time of 0 to 3600"),
        ({"path": "/", "slow_start": "10"}, "write a time of 0, or 30 to 900 seconds"),
        ({"path": "/", "health_codes": "500"}, "write status codes from 200 to 499"),
        ({"path": "/", "health_interval": "5", "health_timeout": "5"}, "less than the interval"),
        ({"path": "/", "algorithm": "fair"}, "write round_robin, least_outstanding_requests or"),
        (
            {"path": "/", "slow_start": "30", "algorithm": "weighted_random"},
            "only the algorithm round_robin has it",
        ),
    ],
)  # fmt: skip
def test_a_bad_label_is_named_with_what_to_write(labels: dict[str, str], words: str) -> None:
    assert words in problem(http("shop_web", **labels))


def test_labels_without_a_published_tcp_port_say_so() -> None:
    raw = http("shop_web", "/*")
    raw["Spec"]["EndpointSpec"]["Ports"] = []
    assert "the service publishes no TCP port" in problem(raw)
    raw["Spec"]["EndpointSpec"]["Ports"] = [port(53, Protocol="udp")]
    assert "the service publishes no TCP port" in problem(raw)


def test_a_bad_label_hides_that_service_only() -> None:
    services = [http(f"shop_s{n}", f"/s{n}/*") for n in range(50)]
    services[17] = http("shop_s17", "no path")
    found = catalogue(swarm(NODES, services, []))
    assert len(found.routes) == 49
    assert [p.service for p in found.problems] == ["shop_s17"]


def test_the_oldest_service_keeps_its_path_when_a_newer_one_claims_the_same() -> None:
    """Broken: a deployed copy takes the requests of the service that runs."""
    old = http("shop_web", "/*", created="2026-01-01T00:00:00Z")
    new = http("copy_web", "/*", created="2026-02-01T00:00:00Z")
    found = catalogue(swarm(NODES, [new, old], []))
    assert [route.service for route in found.routes] == ["shop_web"]
    assert [(p.service, p.text) for p in found.problems] == [
        ("copy_web", "load balancer: the older service shop_web has the same path and host: /*")
    ]


def test_two_services_may_share_a_path_with_priorities_but_not_a_priority() -> None:
    one, two = http("a", "/*", priority="10"), http("b", "/*", priority="20")
    assert len(catalogue(swarm(NODES, [one, two], [])).routes) == 2
    clash = http("b", "/b/*", priority="10", created="2027-01-01")
    found = catalogue(swarm(NODES, [one, clash], []))
    assert [route.service for route in found.routes] == ["a"]
    assert "priority=10: the older service a has it" in found.problems[0].text


def order(*routes: Route) -> list[Route]:
    """As a load balancer tries them."""
    return sorted(routes, key=lambda route: band(route).start)


def test_the_most_specific_rule_is_tried_first() -> None:
    wanted = [
        the_route(path="/*", host="www.example.org"),
        the_route(path="/api/*", host="*.example.org"),
        the_route(path="/api/v1/*"),
        the_route(path="/api/"),
        the_route(path="/api/*"),
        the_route(path="/*,/health"),
    ]
    assert order(*reversed(wanted)) == wanted


def test_the_longest_path_is_first_whatever_the_names() -> None:
    paths = [f"/{'x' * n}/*" for n in range(58, 0, -1)]
    routes = [the_route(path=path) for path in paths]
    assert order(*reversed(routes)) == routes


def test_priorities_are_the_same_in_any_process_and_above_those_for_hand_made_rules() -> None:
    route = the_route(path="/api/*")
    assert choose(route, (), None) == choose(route, (), None) in band(route)
    every = [the_route(path="/" + "x" * 100), the_route(path="/*", host="a.example.org")]
    assert all(FIRST <= band(each).start < band(each).stop <= 50_000 for each in every)


def test_a_hundred_services_of_one_specificity_have_priorities_of_their_own() -> None:
    taken: set[int] = set()
    for n in range(100):
        route = Route(f"s{n}", 80, (f"/{n:03}/*",))
        priority = choose(route, taken, None)
        assert priority is not None
        assert priority in band(route)
        taken.add(priority)
    assert len(taken) == 100


def test_a_rule_keeps_its_priority_unless_another_has_it() -> None:
    route = the_route(path="/api/*")
    kept = band(route)[77]
    assert choose(route, (), kept) == kept
    assert choose(route, {kept}, kept) != kept
    assert choose(route, band(route), kept) is None
    explicit = the_route(path="/api/*", priority="7")
    assert choose(explicit, (), kept) == 7
    assert choose(explicit, {7}, kept) is None


def test_the_documentation_has_a_row_for_each_label_and_no_other() -> None:
    page = (ROOT / "docs/load-balancing.md").read_text()
    rows = re.findall(rf"^\| `{re.escape(PREFIX)}([a-z-]+)", page, flags=re.MULTILINE)
    assert sorted(rows) == sorted(KEYS)
    for key, each in SETTINGS.items():
        assert re.search(rf"^\| `{re.escape(PREFIX)}{key}: .*`{each.default}`", page, re.MULTILINE)
