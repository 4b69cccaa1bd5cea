"""Where a task's lines are follows from its own log driver and its node; who wrote them, too."""

from __future__ import annotations

from typing import Any

from swarmctl.logs.where import Chosen, Names, Source, places, removed
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.parse import parse_swarm
from tests.unit.engine_json import node, service, task, template

TASK = "a" * 25
CLOUD = {
    "Name": "awslogs",
    "Options": {
        "awslogs-region": "eu-central-1",
        "awslogs-group": "/swarmctl/shop/web",
        "tag": '{{.Name}}/{{index .ContainerLabels "com.docker.swarm.node.id"}}',
    },
}
FILE = {"Name": "json-file"}
SOURCE = Source("eu-central-1", "/swarmctl/shop/web", "web", "web.")


def shop(now: dict[str, Any], **tasks: tuple[str, dict[str, Any]]) -> Swarm:
    """The service ``web`` with the log driver ``now``; tasks on a node, with a driver, by id."""
    raw = [
        task("web", node_, slot=1, id=name, spec=template(LogDriver=driver))
        for name, (node_, driver) in tasks.items()
    ]
    for each in raw:
        each["Status"]["ContainerStatus"] = {"ContainerID": f"container-{each['ID']}"}
    return parse_swarm(
        {
            "nodes": [node("mgr1", "manager"), node("wkr1"), node("wkr2", state="down")],
            "services": [service("web", spec=template(LogDriver=now))],
            "tasks": raw,
        }
    )


def ids(tasks: Any) -> list[str]:
    return [task.id for task in tasks]


def test_lines_of_a_dead_node_are_in_the_cloud_or_lost() -> None:
    swarm = shop(
        CLOUD, old=("wkr2", FILE), dead=("wkr2", CLOUD), live=("wkr1", CLOUD), mute=("wkr1", FILE)
    )
    found = places(swarm, swarm.services)
    assert ids(found.lost) == ["old"]
    assert ids(found.on_nodes) == ["mute"]
    assert found.in_cloud == {"dead", "live"}
    assert found.sources == (SOURCE,)


def test_a_service_that_writes_to_the_cloud_is_read_there_before_it_has_a_task() -> None:
    swarm = shop(CLOUD)
    assert places(swarm, swarm.services).sources == (SOURCE,)


def test_a_driver_that_keeps_nothing_is_told_apart() -> None:
    swarm = shop(FILE, gone=("wkr1", {"Name": "none"}))
    assert ids(places(swarm, swarm.services).nowhere) == ["gone"]


def test_a_node_that_is_not_asked_for_is_not_missed() -> None:
    swarm = shop(FILE, dead=("wkr2", FILE), live=("wkr1", FILE))
    found = places(swarm, swarm.services, Chosen(node="wkr1"))
    assert (ids(found.on_nodes), found.lost) == (["live"], ())


def test_without_a_tag_streams_are_named_after_containers() -> None:
    plain = {"Name": "awslogs", "Options": {"awslogs-group": "g"}}
    swarm = shop(plain, one=("wkr1", plain))
    (found,) = places(swarm, swarm.services).sources
    (known,) = swarm.tasks
    assert found == Source("", "g", "web", "", (known.container_id,))
    assert Names.of(swarm).of_stream(known.container_id, "web").task == "one"


def test_the_name_of_a_stream_tells_a_task_that_the_swarm_has_forgotten() -> None:
    names = Names.of(shop(CLOUD))
    writer = names.of_stream(f"web.3.{TASK}/{'n' * 25}", "web")
    assert (writer.service, writer.replica, writer.task, writer.node) == (
        "web", "web.3", TASK, "n" * 25
    )  # fmt: skip
    assert names.of_stream("something else", "web").replica == "something else"


def test_a_service_or_stack_that_was_removed_is_found_by_the_name_of_its_group() -> None:
    groups = ["/swarmctl/shop/three_tier", "/swarmctl/shop/three"]
    assert removed("three_tier_web", groups) == (
        Source("", "/swarmctl/shop/three_tier", "three_tier_web", "three_tier_web."),
        Source("", "/swarmctl/shop/three", "three_tier_web", "three_tier_web."),
    )
    assert removed("three", groups) == (Source("", "/swarmctl/shop/three", "three", "three_"),)
    assert removed("web", groups) == ()
