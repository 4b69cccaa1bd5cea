"""The stack ``discovery``: the agent as one service on a manager."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from swarmctl.stack.render.source import render_stack

STACK = Path(__file__).parents[3] / "stacks" / "discovery"


def agent(**values: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(render_stack(STACK, (), values).compose)
    assert found["networks"]["outside"] == {"external": True, "name": "host"}
    service: dict[str, Any] = found["services"]["agent"]
    return service


def test_one_agent_on_a_manager_that_never_overlaps_with_the_next() -> None:
    """Broken: two listen at the same ports, and the new one never starts."""
    deploy = agent()["deploy"]
    assert deploy["replicas"] == 1
    assert deploy["placement"]["constraints"] == ["node.role == manager"]
    assert deploy["update_config"]["order"] == deploy["rollback_config"]["order"] == "stop-first"


def test_it_is_in_the_hosts_network_and_can_do_nothing_but_read_the_engine() -> None:
    service = agent()
    assert service["networks"] == ["outside"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["volumes"] == ["/var/run/docker.sock:/var/run/docker.sock"]


def test_it_publishes_for_its_cluster_where_the_values_say() -> None:
    assert not any("--cloud-map" in word for word in agent()["command"])
    assert "AWS_ENDPOINT_URL" not in agent()["environment"]
    service = agent(cluster="shop", namespace="shop.internal", aws_endpoint="http://169.254.170.1")
    assert {"--cluster=shop", "--cloud-map=shop.internal"} <= set(service["command"])
    assert service["environment"]["AWS_ENDPOINT_URL"] == "http://169.254.170.1"
