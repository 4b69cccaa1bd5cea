"""The URL that a chaos run requests of a service behind a load balancer."""

from __future__ import annotations

from swarmctl.cloud.load_balancer import ElbApi
from swarmctl.discovery.listeners.load_balancer.urls import Url, probed_urls
from swarmctl.discovery.routes.labels import Route
from tests.unit.load_balancer.balanced import CLUSTER, World

AUTH, SHOP = Route("auth", 80, ("/auth/*",)), Route("web", 80, ("/*",), ("shop.example",))
LB = "swarm-app.elb.example"


def found(world: World) -> dict[str, str]:
    urls = probed_urls(CLUSTER, (AUTH, SHOP), ElbApi(world.elb.client))
    return {service: f"{url.address} {url.host}".strip() for service, url in urls.items()}


def test_http_is_requested_where_it_is_forwarded() -> None:
    world = World()
    world.elb.add_listener(world.balancer, 443)
    assert found(world) == {
        "auth": f"http://{LB}/auth/",
        "web": f"http://{LB}/ shop.example",
    }


def test_https_is_requested_only_for_a_host_whose_certificate_can_be_checked() -> None:
    """Broken: every run behind HTTPS is refused, because no certificate fits."""
    world = World()
    world.elb.listeners.clear()
    world.elb.add_listener(world.balancer, 80, "redirect")
    world.elb.add_listener(world.balancer, 443)
    assert found(world) == {"web": f"https://{LB}/ shop.example"}


def test_without_a_load_balancer_or_a_route_there_is_none() -> None:
    world = World()
    api = ElbApi(world.elb.client)
    assert probed_urls("other", (AUTH,), api) == {}
    world.elb.calls.clear()
    assert probed_urls(CLUSTER, (), api) == {}
    assert not world.elb.calls
    assert isinstance(probed_urls(CLUSTER, (AUTH,), api)["auth"], Url)
