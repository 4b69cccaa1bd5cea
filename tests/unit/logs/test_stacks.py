"""With ``logging: awslogs`` every service's lines go to the group, and none waits for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from swarmctl.errors import SwarmctlError
from swarmctl.logs.where import Source, places
from swarmctl.stack.render.source import render_stack
from swarmctl.swarm.parse import parse_swarm
from tests.unit.engine_json import service, template

STACKS = Path(__file__).parents[3] / "stacks"
AWSLOGS = {
    "logging": "awslogs", "awslogs.region": "eu-central-1", "awslogs.group": "/swarmctl/shop/x"
}  # fmt: skip


def drivers(stack: str, **values: Any) -> list[dict[str, Any]]:
    text = render_stack(STACKS / stack, (), values).compose
    return [service["logging"] for service in yaml.safe_load(text)["services"].values()]


@pytest.mark.parametrize("stack", ["three_tier", "microservices"])
def test_lines_go_to_the_group_and_no_replica_waits_for_it(stack: str) -> None:
    found = drivers(stack, **AWSLOGS)
    assert all(each == found[0] for each in found)
    options = found[0]["options"]
    assert (found[0]["driver"], options["mode"]) == ("awslogs", "non-blocking")
    assert options["awslogs-group"] == "/swarmctl/shop/x"
    assert options["awslogs-create-group"] == "false"
    assert "awslogs-endpoint" not in options
    lab = drivers(stack, **AWSLOGS, **{"awslogs.endpoint": "http://169.254.170.1"})
    assert lab[0]["options"]["awslogs-endpoint"] == "http://169.254.170.1"


@pytest.mark.parametrize("stack", ["three_tier", "microservices"])
def test_swarmctl_logs_finds_the_streams_of_the_stack(stack: str) -> None:
    driver = drivers(stack, **AWSLOGS)[0]
    log = {"Name": driver["driver"], "Options": driver["options"]}
    swarm = parse_swarm(
        {"nodes": [], "services": [service("web", spec=template(LogDriver=log))], "tasks": []}
    )
    assert places(swarm, swarm.services).sources == (
        Source("eu-central-1", "/swarmctl/shop/x", "web", "web."),
    )


@pytest.mark.parametrize("stack", ["three_tier", "microservices"])
def test_without_it_lines_stay_on_the_node_and_do_not_fill_it(stack: str) -> None:
    assert all(
        each == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}
        for each in drivers(stack)
    )


@pytest.mark.parametrize("stack", ["three_tier", "microservices"])
@pytest.mark.parametrize("values", [{"logging": "syslog"}, {"logging": "awslogs"}])
def test_a_driver_that_cannot_work_is_not_rendered(stack: str, values: dict[str, Any]) -> None:
    with pytest.raises(SwarmctlError, match=r"logging_must_be|awslogs_needs"):
        drivers(stack, **values)
