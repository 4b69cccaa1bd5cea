"""In a narrow or low terminal no name is cut, and what matters most is on the screen."""

from __future__ import annotations

import pytest
from rich.console import Console, RenderableType

from swarmctl.cli.show.status import status_screen, status_tables
from swarmctl.cli.show.table import Column, table
from swarmctl.swarm.overview import Overview, overview
from tests.unit.engine_json import node, service, swarm, task

MANAGER = "10.42.0.4"


def drawn(what: RenderableType, width: int, height: int = 24) -> list[str]:
    console = Console(width=width, height=height, color_system=None)
    with console.capture() as captured:
        console.print(what)
    return captured.get().splitlines()


def screen(view: Overview, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, color_system=None)
    return drawn(status_screen(view, MANAGER, console), width, height)


def cluster(services: int, down: str = "") -> Overview:
    names = ["swarm_app_mgr1", *(f"swarm_app_wkr{i}" for i in range(1, 10))]
    nodes = [
        node(
            name,
            "manager" if "mgr" in name else "worker",
            "down" if name == down else "ready",
            leader="mgr" in name,
        )
        for name in names
    ]
    kinds = [f"three_tier_service_{i}" for i in range(services)]
    tasks = [task(kind, names[1 + i % 9], 1) for i, kind in enumerate(kinds)]
    return overview(swarm(nodes, [service(kind, replicas=1) for kind in kinds], tasks))


@pytest.mark.parametrize("width", range(30, 130))
def test_no_width_cuts_a_cell(width: int) -> None:
    names = [f"swarm_app_wkr{i}" for i in range(1, 5)]
    columns = [Column("service"), *(Column(name, right=True) for name in names)]
    rows = [("three_tier_a-long-name", "0 → 0", "1 → 2 (2)", "2 → 0 (0)", "10 → 10 (8-10)")]
    shown = "\n".join(drawn(table("Placement", columns, rows, width), width))
    assert "…" not in shown
    words = shown.split()
    for word in (*names, "three_tier_a-long-name", "(8-10)"):
        assert word in words


@pytest.mark.parametrize("width", [60, 80, 100])
def test_status_cuts_no_name(width: int) -> None:
    view = cluster(4)
    lines = drawn(status_tables(view, MANAGER, width), width)
    assert all(len(line) <= width for line in lines)
    words = " ".join(lines).replace(",", " ").split()
    for name in (*(n.name for n in view.nodes), *(s.name for s in view.services)):
        assert name in words


def test_a_low_terminal_shows_the_services_before_the_nodes_that_are_well() -> None:
    lines = screen(cluster(4), 80, 24)
    assert len(lines) <= 23
    assert lines[0].startswith("healthy: 10/10 nodes ready")
    assert [line.split()[0] for line in lines[1:5]] == [f"three_tier_service_{i}" for i in range(4)]
    assert lines[5].startswith("swarm_app_mgr1")


def test_what_is_not_well_comes_first() -> None:
    lines = screen(cluster(4, down="swarm_app_wkr2"), 80, 24)
    assert lines[1].startswith("swarm_app_wkr2  worker  down")
    assert lines[2].startswith("three_tier_service_1: 1 on swarm_app_wkr2, which is down")
    assert lines[3].startswith("three_tier_service_1  0/1")


def test_what_does_not_fit_is_counted() -> None:
    lines = screen(cluster(40), 80, 24)
    assert len(lines) == 23
    # 1 summary, 40 services and 10 nodes; 22 of these lines are shown.
    assert lines[-1] == "29 more lines do not fit on this screen"


def test_what_fits_is_shown_as_tables() -> None:
    view = cluster(4)
    assert screen(view, 140, 60) == drawn(status_tables(view, MANAGER, 140), 140)
