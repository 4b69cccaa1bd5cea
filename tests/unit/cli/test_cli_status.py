"""``swarmctl status`` as it is seen."""

from __future__ import annotations

from rich.console import Console

from swarmctl.cli.show.status import status_tables
from swarmctl.swarm.overview import overview
from tests.unit.engine_json import node, service, swarm, task


def test_the_tables_show_what_runs_where_and_what_is_missing() -> None:
    nodes = [
        node("mgr1", "manager", leader=True),
        node("wkr1", availability="drain"),
        node("wkr2", state="down"),
    ]
    given = [
        {"TargetPort": 80, "PublishedPort": 32768 + i, "PublishMode": "host"} for i in range(5)
    ]
    services = [service("three_tier_web", replicas=3), service("agent", {"Global": {}})]
    tasks = [
        task("three_tier_web", "mgr1", 1, ports=given),
        task("three_tier_web", "mgr1", 2),
        task("three_tier_web", "wkr2", 3),
    ]
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        console.print(status_tables(overview(swarm(nodes, services, tasks)), "10.42.0.4", 120))
    lines = [" ".join(line.split()) for line in captured.get().splitlines()]
    assert lines[0].startswith("not healthy: 2/3 nodes ready, 2/4 tasks running")
    assert "mgr1 manager (leader) ready 10.42.0.4 three_tier_web 2" in lines
    assert "wkr1 worker ready, drained 10.42.0.5" in lines
    assert "wkr2 worker down 10.42.0.5" in lines
    web = next(line for line in lines if line.startswith("three_tier_web 2/3 mgr1 2"))
    assert "mgr1:32768→80, mgr1:32769→80, mgr1:32770→80, 2 more" in web
    assert "three_tier_web: 1 on wkr2, which is down" in lines
    assert "agent: 1 not created yet" in lines
