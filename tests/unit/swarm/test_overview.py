"""What a person is told about a Swarm."""

from __future__ import annotations

import json
from dataclasses import replace

from rich.console import Console

from swarmctl.cli.show.status import status_tables
from swarmctl.cloud.instances import Instance
from swarmctl.swarm.overview import as_json, overview
from tests.unit.engine_json import node, service, swarm, task

NODES = [
    node("mgr1", "manager", leader=True),
    node("wkr1"),
    node("wkr2", state="down", message="heartbeat failure"),
]


def test_replicas_on_a_dead_node_are_missing_and_say_where_they_were() -> None:
    tasks = [task("web", "wkr1", 1), task("web", "wkr2", 2), task("web", "wkr2", 3)]
    (view,) = overview(swarm(NODES, [service("web", replicas=3)], tasks)).services
    assert (view.running, view.wanted, view.missing) == (1, 3, 2)
    assert view.nodes == {"wkr1": 1}
    assert view.reasons == ("2 on wkr2, which is down",)


def test_a_pending_task_gives_swarms_own_reason() -> None:
    pending = task("web", state="pending", slot=1, error="no suitable node (1 node\nnot available)")
    (view,) = overview(swarm(NODES, [service("web")], [pending])).services
    assert view.reasons == ("1 pending: no suitable node (1 node not available)",)


def test_a_restarting_task_says_what_its_predecessor_died_of() -> None:
    died = task("web", "wkr1", 1, "failed", desired="shutdown", error="task: non-zero exit (1)")
    again = task("web", "wkr1", 1, "starting")
    (view,) = overview(swarm(NODES, [service("web")], [died, again])).services
    assert view.reasons == ("1 starting on wkr1: after: task: non-zero exit (1)",)


def test_ports_of_the_mesh_are_everywhere_and_host_ports_on_their_node() -> None:
    mesh = service("web", ports=[{"TargetPort": 80, "PublishedPort": 80, "PublishMode": "ingress"}])
    dynamic = service("api", ports=[{"TargetPort": 3000, "PublishMode": "host"}])
    given = [{"TargetPort": 3000, "PublishedPort": 32768, "PublishMode": "host"}]
    tasks = [task("web", "wkr1", 1), task("api", "wkr1", 1, ports=given)]
    api, web = overview(swarm(NODES, [mesh, dynamic], tasks)).services
    assert [(p.node, p.published, p.target) for p in web.ports] == [("", 80, 80)]
    assert [(p.node, p.published, p.target) for p in api.ports] == [("wkr1", 32768, 3000)]


def test_a_node_shows_its_instance_and_only_what_serves_on_it() -> None:
    machine = Instance(
        "i-2", "wkr2", "worker", "stopped", "10.42.1.5", "", "eu-central-1b", "a", "c"
    )
    tasks = [task("web", "wkr2", 1)]
    view = overview(swarm(NODES, [service("web")], tasks), [machine]).nodes[2]
    assert (view.name, view.tasks) == ("wkr2", {})
    assert view.instance is not None
    assert (view.instance.state, view.instance.az) == ("stopped", "eu-central-1b")


def test_a_machine_that_runs_and_is_no_node_is_named_and_the_swarm_is_not_healthy() -> None:
    well = swarm([node("mgr1", "manager", leader=True), node("wkr1")], [], [])
    machines = [
        Instance(f"i-{name}", name, "worker", state, "10.42.1.5", "", "eu-central-1b", "a", "c")
        for name, state in (("mgr1", "running"), ("wkr1", "running"), ("wkr2", "stopped"))
    ]
    assert overview(well, machines).healthy
    joining = replace(machines[2], state="running")
    view = overview(well, [*machines[:2], joining])
    assert not view.healthy
    assert [(m.name, m.id, m.az) for m in view.not_members] == [("wkr2", "i-wkr2", "eu-central-1b")]
    text = Console(width=200)
    with text.capture() as shown:
        text.print(status_tables(view, "10.42.0.4", 200))
    assert "wkr2: i-wkr2 is running and no node of the Swarm" in shown.get()


def test_the_json_has_the_documented_form() -> None:
    view = overview(swarm(NODES, [service("web")], [task("web", "wkr1", 1)]))
    data = json.loads(json.dumps(as_json(view, cluster="swarm_app", manager="10.42.0.4")))
    assert list(data) == [
        "version", "healthy", "cluster", "manager", "nodes", "services", "not_members",
    ]  # fmt: skip
    assert list(data["nodes"][0]) == [
        "name", "id", "role", "state", "availability", "leader", "reachability", "address",
        "engine", "labels", "message", "instance", "tasks",
    ]  # fmt: skip
    assert list(data["services"][0]) == [
        "name", "stack", "mode", "image", "wanted", "running", "missing", "update", "nodes",
        "reasons", "ports",
    ]  # fmt: skip
