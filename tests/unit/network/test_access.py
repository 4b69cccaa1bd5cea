"""Who may reach what a Swarm publishes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmctl.cloud.rules import Rule
from swarmctl.cloud.security_groups import SecurityGroup, rules_of
from swarmctl.network.access import Access, access_by, balanced_services
from swarmctl.swarm.model import Port, Swarm
from tests.unit.chaos.simulated_swarm import node, service, task

HOST = Port("tcp", 80, 0, "host")
NODES = (node("mgr1", "manager"), node("wkr1"))


def _access(node: str, protocol: str, port: int) -> Access:
    return Access.BALANCED if port >= 32768 else Access.OPEN


def _swarm(*ports: Port, task_ports: tuple[Port, ...] = ()) -> Swarm:
    web = service("web", 1, ports=ports)
    running = replace(task("web", 1, "wkr1"), ports=task_ports)
    return Swarm(NODES, (web,), (running,))


def test_a_dynamic_port_is_the_load_balancers_also_while_its_number_is_forgotten() -> None:
    known = replace(HOST, published=32770)
    assert balanced_services(_swarm(HOST, task_ports=(known,)), _access) == ("web",)
    assert balanced_services(_swarm(HOST), _access) == ("web",)


def test_a_service_with_a_port_that_others_may_reach_is_not_hidden() -> None:
    known = replace(HOST, published=32770)
    mesh = Port("tcp", 81, 8080, "ingress")
    assert balanced_services(_swarm(HOST, mesh, task_ports=(known,)), _access) == ()


def test_what_publishes_nothing_is_not_named() -> None:
    assert balanced_services(_swarm(), _access) == ()


@pytest.mark.parametrize(
    ("source", "hidden"), [("sg-alb", ("web",)), ("sg-wkr", ()), ("sg-bastion", ())]
)
def test_only_the_group_of_the_clusters_load_balancer_hides_a_service(
    source: str, hidden: tuple[str, ...]
) -> None:
    """Broken: a port that is open to the nodes alone is never probed, and nobody says so."""
    groups = {
        "sg-alb": SecurityGroup("sg-alb", "shop_alb_sg", (), {}),
        "sg-wkr": SecurityGroup("sg-wkr", "shop_wkr_sg", (Rule("all", -1, -1, source),), {}),
        "sg-bastion": SecurityGroup("sg-bastion", "other_alb_sg", (), {}),
    }
    access = access_by(dict.fromkeys(("mgr1", "wkr1"), rules_of("shop", ["sg-wkr"], groups)))
    known = replace(HOST, published=32770)
    assert balanced_services(_swarm(HOST, task_ports=(known,)), access) == hidden
