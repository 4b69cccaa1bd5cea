"""A small Swarm for the tests: three nodes, a service on dynamic host ports, and changes to it."""

from __future__ import annotations

from typing import Any

from swarmctl.swarm.model import Swarm
from tests.unit.engine_json import node, service, swarm, task


def port(target: int = 80, published: int = 0, mode: str = "host", **more: Any) -> dict[str, Any]:
    """A port as the Engine writes it."""
    given = {"TargetPort": target, "PublishMode": mode, "Protocol": "tcp", **more}
    return given | ({"PublishedPort": published} if published else {})


def labelled(
    service_name: str, ports: list[dict[str, Any]] | None, /, **labels: str
) -> dict[str, Any]:
    """A service with ports and ``swarmctl.discovery.…`` labels."""
    raw = service(service_name, stack="shop", replicas=2, ports=ports)
    raw["Spec"]["Labels"] |= {f"swarmctl.discovery.{key}": text for key, text in labels.items()}
    return raw


NODES = [
    node("mgr_1", "manager", addr="10.42.0.4", leader=True, labels={"az": "eu-1a"}),
    node("wkr_1", addr="10.42.0.5", labels={"az": "eu-1a"}),
    node("wkr_2", addr="10.42.0.6", labels={"az": "eu-1b"}),
]


def shop(
    *more_services: dict[str, Any],
    tasks: list[dict[str, Any]] | None = None,
    nodes: list[dict[str, Any]] | None = None,
    more_tasks: tuple[dict[str, Any], ...] = (),
) -> Swarm:
    """``shop_web`` on two workers, and what else the test wants."""
    web = [
        task("shop_web", "wkr_1", 1, id="task1", ports=[port(80, 32768)]),
        task("shop_web", "wkr_2", 2, id="task2", ports=[port(80, 32768)]),
    ]
    return swarm(
        NODES if nodes is None else nodes,
        [labelled("shop_web", [port(80)], tags="v1, blue"), *more_services],
        [*(web if tasks is None else tasks), *more_tasks],
    )
