"""The page in a browser, over a Swarm that is simulated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from swarmctl.swarm.model import Port
from tests.browser.support import boxes, opened, settled
from tests.unit.web.simulated import Simulated, killed, served, swarm, task

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)>\u202eesrever"
VIEWS = ("nodes", "services", "whatif", "runs", "findings")


@pytest.fixture
def source() -> Simulated:
    return Simulated(swarm(nodes=5, services=3, replicas=4))


def test_a_killed_workers_replicas_move_to_their_new_nodes(
    browser: Browser, source: Simulated, url: str
) -> None:
    with opened(browser, url) as page:
        assert len(boxes(page, "running")) == 12
        expect(page.locator("#health")).to_have_text("healthy")
        lost = sum(t.node_id == "n2" for t in source.found.tasks)
        before = {box["id"]: (box["left"], box["top"]) for box in boxes(page)}
        source.found = killed(source.found, "n2")
        expect(page.locator("#health")).to_have_text("1 node is not ready")
        assert len(boxes(page, "lost")) == lost
        settled(page)
        new = [box for box in boxes(page, "running") if box["id"].endswith("+")]
        assert len(new) == lost
        for box in new:  # it began where its predecessor stood
            assert (box["left"], box["top"]) != before[box["id"].removesuffix("+")]
            assert "swarm_app_wkr2" not in box["label"]
        expect(page.locator(".node.down")).to_have_count(1)


def test_a_page_that_lost_its_manager_looks_frozen_and_says_since_when(
    browser: Browser, source: Simulated, url: str
) -> None:
    with opened(browser, url) as page:
        source.fault = "no manager answers"
        expect(page.locator("#fault")).to_contain_text("no manager answers Frozen since")
        assert page.evaluate("document.body.classList.contains('frozen')")
        source.fault = ""
        expect(page.locator("#fault")).to_be_hidden()
        assert not page.evaluate("document.body.classList.contains('frozen')")


def test_the_page_comes_back_after_the_server_has_gone(
    browser: Browser, source: Simulated, tmp_path: Path
) -> None:
    with served(source, tmp_path) as url:
        port = int(url.rpartition(":")[2].strip("/"))
        context = browser.new_context()
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector(".task")
    expect(page.locator("#fault")).to_contain_text("connection to swarmctl web is lost")
    source.found = killed(source.found, "n2")
    with served(source, tmp_path, port=port):
        expect(page.locator("#fault")).to_be_hidden(timeout=15_000)
        expect(page.locator(".node.down")).to_have_count(1)
        context.close()


def test_a_page_whose_script_did_not_arrive_is_loaded_again(browser: Browser, url: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route("**/layout.js", lambda route: route.abort(), times=1)
    page.goto(url)
    expect(page.locator(".task").first).to_be_visible()
    context.close()


def test_filters_leave_what_they_name(browser: Browser, url: str) -> None:
    with opened(browser, url) as page:
        page.fill("#service", "part1")
        assert {box["label"].partition(".")[0] for box in boxes(page)} == {"shop_part1"}
        page.fill("#service", "")
        page.select_option("#state", "starting")
        assert boxes(page) == []


def test_what_if_draws_the_prediction_into_the_picture(browser: Browser, url: str) -> None:
    with opened(browser, url + "#whatif") as page:
        page.locator(".task").first.click()
        page.wait_for_selector(".task.predicted")
        assert len(boxes(page, "predicted")) == len(boxes(page, "lost")) > 0
        page.keyboard.press("ArrowRight")
        page.get_by_role("button", name="none").click()
        expect(page.locator(".task.predicted")).to_have_count(0)
        page.get_by_role("button", name="eu-central-1b", exact=True).click()
        page.wait_for_selector(".task.predicted")
        page.get_by_role("button", name="Lose each node in turn").click()
        expect(page.locator("tbody tr")).to_have_count(5)


def test_the_keyboard_goes_from_node_to_node_and_chooses(browser: Browser, url: str) -> None:
    with opened(browser, url + "#whatif") as page:
        page.locator(".node[role=button]").first.focus()
        page.keyboard.press("ArrowRight")
        chosen = page.evaluate("document.activeElement.dataset.id")
        page.keyboard.press("Enter")
        expect(page.locator(".node.selected")).to_have_attribute("data-id", chosen)


def test_services_say_where_they_serve(browser: Browser, source: Simulated, url: str) -> None:
    with opened(browser, url + "#services") as page:
        expect(page.locator("tbody tr")).to_have_count(3)
        expect(page.locator("tbody tr").first).to_contain_text("4/4")
        source.found = replace(source.found, tasks=source.found.tasks[1:])
        expect(page.locator("tbody tr").first).to_contain_text("3/4")


def test_services_say_their_names_and_findings_what_fails(
    browser: Browser, source: Simulated, url: str
) -> None:
    first, *rest = source.found.services
    with_port = replace(first, ports=(Port("tcp", 80, 8080, "ingress"),))
    source.found = replace(source.found, services=(with_port, *rest))
    with opened(browser, url + "#services") as page:
        expect(page.get_by_role("row").nth(1)).to_contain_text("part0 (5 endpoints)")
        page.get_by_role("link", name="Findings").click()
        expect(page.get_by_role("row").nth(1)).to_contain_text("✗ fails")
        expect(page.locator("main")).to_contain_text("1 could not be checked")


def test_hostile_names_are_texts_in_every_view(
    browser: Browser, source: Simulated, tmp_path: Path
) -> None:
    first, *others = source.found.services
    long = replace(others[0], name="x" * 10_000, image=HOSTILE)
    nodes = tuple(
        replace(node, hostname=HOSTILE + node.id, name=HOSTILE + node.id, labels={"az": HOSTILE})
        for node in source.found.nodes
    )
    waiting = replace(task("w", first.id, 9, "", "pending"), error=HOSTILE)
    source.found = replace(
        source.found,
        nodes=nodes,
        services=(replace(first, name=HOSTILE), long, *others[1:]),
        tasks=(*source.found.tasks, waiting),
    )
    with served(source, tmp_path) as url, opened(browser, url) as page:
        for view in VIEWS:
            page.goto(f"{url}#{view}")
            expect(page.locator(f"main.{view}")).to_be_visible()
            assert "owned" not in page.title()
            assert page.locator("main script, main img").count() == 0
            assert page.evaluate("document.documentElement.scrollWidth") <= 1280


@pytest.mark.parametrize("size", [(5, 3, 4), (100, 20, 50)], ids=["5 nodes", "100 nodes"])
def test_nothing_is_cut_at_any_width(
    browser: Browser, tmp_path: Path, size: tuple[int, int, int]
) -> None:
    with served(Simulated(swarm(*size)), tmp_path) as url, opened(browser, url) as page:
        for width in (380, 1280, 3840):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function(
                "width => document.querySelector('svg.swarm').clientWidth > width - 60", arg=width
            )
            settled(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            found = boxes(page)
            assert len(found) == size[1] * size[2]
            assert max(box["left"] for box in found) < width
            places = {(round(box["left"]), round(box["top"])) for box in found}
            assert len(places) == len(found)  # no two on one place


def test_motion_is_left_out_for_who_asked_for_it(
    browser: Browser, source: Simulated, url: str
) -> None:
    with opened(browser, url, reduced_motion="reduce") as page:
        source.found = killed(source.found, "n2")
        page.wait_for_selector(".task.lost")
        assert page.evaluate("document.getAnimations().length") == 0
