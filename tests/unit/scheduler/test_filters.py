"""A node takes a task exactly as long as what is left is enough, and the first refusal is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmctl.scheduler.filters import (
    Filter,
    Room,
    Shortage,
    capacity,
    explain,
    room_for_resources,
    suits,
    words,
)
from swarmctl.swarm.model import Service
from swarmctl.swarm.node import Node, Resources

NODE = Node("n1", "n1", "worker", "active", "ready", "10.0.0.1")
HTTP = ("tcp", 80)


def service(
    cpus: int = 0,
    memory: int = 0,
    generic: tuple[tuple[str, int], ...] = (),
    *,
    port: bool = False,
    max_replicas: int = 0,
) -> Service:
    return Service(
        "s1", "web", "replicated", 1, "httpd", 1,
        reservations=Resources(cpus, memory, generic),
        host_ports=frozenset([HTTP] if port else []),
        max_replicas=max_replicas,
    )  # fmt: skip


def room(
    cpus: int = 0,
    memory: int = 0,
    *,
    gpus: int | None = None,
    ports: tuple[tuple[str, int], ...] = (),
    of_service: int = 0,
) -> Room:
    generic = {} if gpus is None else {"gpu": gpus}
    return Room(cpus, memory, generic, frozenset(ports), of_service)


@pytest.mark.parametrize(
    ("wanted", "left", "fit"),
    [
        (service(cpus=2), room(cpus=2), 1),
        (service(cpus=2), room(cpus=3), 1),
        (service(cpus=2), room(cpus=1), 0),
        (service(memory=2), room(memory=4), 2),
        (service(memory=3), room(memory=2), 0),
        (service(cpus=1, memory=2), room(cpus=4, memory=4), 2),
        (service(cpus=1, memory=2), room(cpus=4, memory=1), 0),
        # Any reservation has CPU and memory compared: an overbooked node takes none.
        (service(cpus=1), room(cpus=4, memory=-1), 0),
        (service(memory=1), room(cpus=-1, memory=4), 0),
        (service(generic=(("gpu", 1),)), room(cpus=-1, gpus=4), 0),
        (service(generic=(("gpu", 2),)), room(gpus=4), 2),
        (service(generic=(("gpu", 2),)), room(gpus=1), 0),
        (service(generic=(("gpu", 1),)), room(), 0),
        (service(cpus=1, generic=(("gpu", 1),)), room(cpus=2, gpus=4), 2),
        (service(cpus=1, generic=(("gpu", 0),)), room(cpus=2, gpus=1), 2),
        (service(cpus=1, generic=(("gpu", 0),)), room(cpus=2), 0),  # the kind must be there
    ],
)
def test_as_many_reservations_fit_as_the_scarcest_resource_allows(
    wanted: Service, left: Room, fit: int
) -> None:
    assert room_for_resources(wanted, left) == fit
    assert capacity(wanted, left) == fit
    assert explain(wanted, [(NODE, left)]) == (() if fit else (Shortage(Filter.RESOURCES, 1),))


def test_a_task_without_reservations_fits_on_an_overbooked_node() -> None:
    assert room_for_resources(service(), room(cpus=-1, memory=-1)) > 1000
    assert capacity(service(), room(cpus=-1, memory=-1)) > 1000


@pytest.mark.parametrize(
    ("wanted", "left", "fit", "refusal"),
    [
        (service(port=True), room(), 1, None),
        (service(port=True), room(ports=(("udp", 80), ("tcp", 81))), 1, None),
        (service(port=True), room(ports=(HTTP,)), 0, Filter.HOST_PORT),
        (service(max_replicas=2), room(), 2, None),
        (service(max_replicas=2), room(of_service=1), 1, None),
        (service(max_replicas=2), room(of_service=2), 0, Filter.MAX_REPLICAS),
        (service(max_replicas=2), room(of_service=3), 0, Filter.MAX_REPLICAS),
        (service(cpus=1, max_replicas=2), room(cpus=9), 2, None),
        (service(cpus=1, port=True), room(cpus=9), 1, None),
        (service(cpus=1, port=True), room(cpus=0, ports=(HTTP,)), 0, Filter.RESOURCES),
    ],
)
def test_host_ports_and_max_replicas_limit_a_node(
    wanted: Service, left: Room, fit: int, refusal: Filter | None
) -> None:
    assert capacity(wanted, left) == fit
    assert [s.filter for s in explain(wanted, [(NODE, left)])] == ([refusal] if refusal else [])


@pytest.mark.parametrize(
    ("machine", "image", "fits"),
    [
        ("x86_64", "amd64", True),
        ("x86_64", "x86_64", True),
        ("aarch64", "arm64", True),
        ("aarch64", "amd64", False),
        ("riscv64", "riscv64", True),  # without another name
        ("riscv64", "arm64", False),
        ("riscv64", "", True),  # any
    ],
)
def test_an_architecture_is_the_same_under_both_of_its_names(
    machine: str, image: str, fits: bool
) -> None:
    node = replace(NODE, platform_os="linux", platform_arch=machine)
    wanted = replace(service(), platforms=(("linux", image),))
    assert suits(node, wanted) is fits
    assert bool(explain(wanted, [(node, room())])) is not fits


@pytest.mark.parametrize(
    ("driver", "fits"), [("", True), ("none", True), ("json-file", True), ("gelf", False)]
)
def test_a_log_driver_must_be_on_the_node_unless_nothing_is_logged(driver: str, fits: bool) -> None:
    node = replace(NODE, plugins=(("Log", "json-file"),))
    assert suits(node, replace(service(), log_driver=driver)) is fits


def test_the_filter_that_refused_most_nodes_is_named_first() -> None:
    wanted = service(cpus=1, port=True)
    full, taken, free = room(), room(cpus=1, ports=(HTTP,)), room(cpus=1)
    reasons = explain(wanted, [(NODE, full), (NODE, taken), (NODE, free), (NODE, taken)])
    assert reasons == (Shortage(Filter.HOST_PORT, 2), Shortage(Filter.RESOURCES, 1))
    assert words(reasons) == (
        "no suitable node (host-mode port already in use on 2 nodes; "
        "insufficient resources on 1 node)"
    )
    assert words(()) == "no suitable node"
