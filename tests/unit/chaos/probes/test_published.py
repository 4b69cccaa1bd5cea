"""Which published services are probed, and where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from swarmctl.chaos.probes.published import ServiceEndpoints, published
from swarmctl.chaos.world.protocols import Machine
from swarmctl.errors import UsageError
from swarmctl.swarm.model import Port, Swarm
from tests.unit.chaos.simulated_swarm import Box, address_of, service, task, workers
from tests.unit.chaos.stage import stage

MESH = Port("tcp", 80, 8080, "ingress")
HOST = Port("tcp", 80, 0, "host")


def given_out(number: int) -> tuple[Port, ...]:
    return (Port("tcp", 80, number, "host"),)


def test_a_mesh_port_is_asked_on_every_node_that_is_left() -> None:
    web = service("web", 1, ports=(MESH,))
    swarm = Swarm(tuple(workers(3)), (web,), (task("web", 1, "wkr1"),))
    places = ServiceEndpoints([web], {}, {"id-wkr2"}).current(swarm)["web"]
    assert [(p.node, p.address) for p in places] == [
        ("mgr1", "http://10.42.1.11:8080/"),
        ("wkr1", "http://10.42.2.11:8080/"),
        ("wkr3", "http://10.42.2.13:8080/"),
    ]


def test_a_service_that_does_not_speak_http_is_probed_by_connections() -> None:
    """Broken: a service that waits for its client to speak refuses every run."""
    mqtt = replace(service("mqtt", 1, ports=(MESH,)), labels={"swarmctl.probe": "tcp"})
    swarm = Swarm(tuple(workers(1)), (mqtt,), (task("mqtt", 1, "wkr1"),))
    places = ServiceEndpoints([mqtt], {}, ()).current(swarm)["mqtt"]
    assert next(place.address for place in places) == "tcp://10.42.1.11:8080"


def test_a_host_port_is_asked_where_a_task_serves_under_the_number_given_out() -> None:
    web = service("web", 3, ports=(HOST,))
    tasks = (
        task("web", 1, "wkr1", ports=given_out(32768)),
        task("web", 2, "wkr1", ports=given_out(32769)),
        task("web", 3, "wkr2", ports=given_out(32768)),
        task("web", 4, "wkr3", state="starting", ports=given_out(32770)),
    )
    swarm = Swarm(tuple(workers(3)), (web,), tasks)
    places = ServiceEndpoints([web], {}, {"id-wkr2"}).current(swarm)["web"]
    assert [(p.node, p.address) for p in places] == [
        ("wkr1", "http://10.42.2.11:32768/"),
        ("wkr1", "http://10.42.2.11:32769/"),
    ]


def test_host_ports_the_managers_forget_are_remembered() -> None:
    """After a change of leader the tasks' records lack their ports; the containers still listen."""
    web = service("web", 1, ports=(HOST,))
    known = task("web", 1, "wkr1", ports=given_out(32768))
    places = ServiceEndpoints([web], {}, ())
    before = Swarm(tuple(workers(1)), (web,), (known,))
    in_doubt = tuple(replace(n, state="unknown") for n in workers(1))
    after = Swarm(in_doubt, (web,), (replace(known, ports=()),))
    assert places.current(before) == places.current(after)
    assert [p.address for p in places.current(after)["web"]] == ["http://10.42.2.11:32768/"]
    assert places.without_ports(replace(after, nodes=before.nodes)) == ()
    assert ServiceEndpoints([web], {}, ()).without_ports(replace(after, nodes=before.nodes)) == (
        "web",
    )


def test_ports_the_managers_forgot_are_asked_of_the_nodes(tmp_path: Path) -> None:
    """Broken: after every change of leader no experiment can be run."""
    web = service("web", 2, ports=(HOST,))
    s = stage(tmp_path, services=[web])
    s.lab.answers["docker inspect"] = lambda: (
        'web.1.old {"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"32768"}],"443/tcp":null}\n'
        if s.lab.log[-1].startswith("wkr1")
        else ""
    )
    journal = s.experiment.run()
    assert journal.outcome == "held"
    assert {p.endpoints for p in journal.probes} == {("wkr1 http://10.42.2.11:32768/",)}


def test_a_label_says_which_path_is_worth_asking() -> None:
    """A static page answers though everything behind it is gone."""
    web = service("web", 1, ports=(MESH,), labels={"swarmctl.probe.path": "/api/"})
    swarm = Swarm(tuple(workers(1)), (web,), (task("web", 1, "wkr1"),))
    places = ServiceEndpoints([web], {}, {"id-mgr1"}).current(swarm)["web"]
    assert [p.address for p in places] == ["http://10.42.2.11:8080/api/"]


def test_the_public_address_is_asked_where_there_is_one() -> None:
    class Public(Box):
        @property
        def address(self) -> str:
            return "198.51.100.7"

    web = service("web", 1, ports=(MESH,))
    machines: dict[str, Machine] = {"wkr1": Public("i-1", "wkr1", "running", address_of("wkr1"))}
    swarm = Swarm(tuple(workers(1)), (web,), (task("web", 1, "wkr1"),))
    places = ServiceEndpoints([web], machines, {"id-mgr1"}).current(swarm)["web"]
    assert [p.address for p in places] == ["http://198.51.100.7:8080/"]


def test_published_services_of_stacks_are_probed_unless_told_otherwise() -> None:
    web, db, own = (
        service("web", 1, ports=(MESH,)),
        service("db", 1),
        service("own", 1, ports=(MESH,), labels={}),
    )
    swarm = Swarm((), (db, own, web), ())
    assert published(swarm, None) == (web,)
    assert published(swarm, "own") == (own,)
    assert published(swarm, "none") == ()
    with pytest.raises(UsageError, match="service db publishes no TCP port"):
        published(swarm, "db")
    with pytest.raises(UsageError, match="unknown service 'wep'"):
        published(swarm, "wep")


def test_jobs_and_services_without_replicas_are_not_probed() -> None:
    """Broken: one service scaled to 0 refuses every run: it can be reached nowhere."""
    job = replace(service("job", 1, ports=(HOST,)), mode="replicated-job")
    off, on = service("off", 0, ports=(HOST,)), service("on", 1, ports=(HOST,))
    swarm = Swarm(tuple(workers(1)), (job, off, on), (task("on", 1, "wkr1"),))
    assert published(swarm, None) == (on,)
